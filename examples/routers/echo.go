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

	// The group answers unknown paths below its prefix too, so that they need a token.
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

	// An Observe in e.Use would end before echo writes the error of a handler, and would
	// report 200 for it. Around echo, it sees every answer.
	return a.door()(e)
}

// EchoErrors is a middleware that has echo write the error of a handler at once. By
// itself, echo writes it after all middleware has ended: a Usage that counts by status
// then counts a failed request, as one whose handler has written nothing (200). EchoErrors
// belongs inside of every [middleware.Usage] with CountStatus, and of every
// [middleware.Observe] that is not around echo.
//
// EchoErrors also returns the error, for the middleware outside. Echo hands it to the
// HTTPErrorHandler again. One of your own must do nothing if the response is committed, as
// the default one does.
func EchoErrors(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		return err
	}
}
