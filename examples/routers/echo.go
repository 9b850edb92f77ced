package routers

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/authtier/authtier/middleware"
)

// Echo serves the API with echo. [echo.WrapMiddleware] makes a wrapper a middleware of it.
func Echo(a *API) http.Handler {
	usage := a.usage()
	reports := func(c echo.Context) error {
		return c.String(http.StatusOK, greeting(c.Request().Context())+"\n")
	}

	e := echo.New()
	e.GET("/open", func(c echo.Context) error { return c.String(http.StatusOK, "open\n") })

	// The group also answers unknown paths below its prefix, so these need a token.
	guarded := e.Group("", echo.WrapMiddleware(bearer()))
	write := echo.WrapMiddleware(middleware.Chain(middleware.Scope(writeScope), usage))
	guarded.POST("/reports", reports, write, EchoErrors) // one route

	read := echo.WrapMiddleware(middleware.Chain(middleware.Scope(readScope), usage))
	guarded.GET("/reports", reports, read, EchoErrors)
	guarded.GET("/fails", func(echo.Context) error { return errors.New("it failed") }, read, EchoErrors)
	guarded.GET("/events", func(c echo.Context) error {
		a.events(c.Response(), c.Request())
		return nil
	}, read, EchoErrors)
	guarded.GET("/ws", func(c echo.Context) error {
		socket(c.Response(), c.Request())
		return nil
	}, read, EchoErrors)

	// An Observe in e.Use would end before echo writes the error of a handler. It would
	// report 200. Around echo, it sees every answer.
	return a.door()(e)
}

// EchoErrors is a middleware that tells echo to write the error of a handler at once.
// Without it, echo writes the error after all middleware has ended. A [middleware.Usage]
// with CountStatus then counts the failed request, because a handler that writes nothing
// counts as 200. EchoErrors belongs inside of every such Usage. It also belongs inside of
// every [middleware.Observe] that is not around echo.
//
// EchoErrors also returns the error to the middleware outside. Echo then calls the
// HTTPErrorHandler again. A custom HTTPErrorHandler must do nothing if the response is
// committed, like the default one.
func EchoErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		return err
	}
}
