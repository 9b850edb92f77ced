package routers

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/authtier/authtier/middleware"
)

// Gin serves the API with gin. [GinMiddleware] makes a wrapper a middleware of it.
func Gin(a *API) http.Handler {
	gin.SetMode(gin.ReleaseMode)
	usage := GinMiddleware(a.usage())
	// The request has the identity. gin's own context has it only if the engine's
	// ContextWithFallback is set.
	reports := func(c *gin.Context) { c.String(http.StatusOK, "%s\n", greeting(c.Request.Context())) }

	e := gin.New()
	e.GET("/open", func(c *gin.Context) { c.String(http.StatusOK, "open\n") })

	guarded := e.Group("", GinMiddleware(bearer()))
	write := GinMiddleware(middleware.Scope(writeScope))
	guarded.POST("/reports", write, usage, GinErrors, reports) // one route

	read := guarded.Group("", GinMiddleware(middleware.Scope(readScope)), usage, GinErrors)
	read.GET("/reports", reports)
	read.GET("/fails", func(c *gin.Context) { c.Error(errors.New("it failed")) })
	read.GET("/events", func(c *gin.Context) { a.events(c.Writer, c.Request) })
	read.GET("/ws", func(c *gin.Context) { socket(c.Writer, c.Request) })
	return a.door()(e)
}

// GinErrors is a middleware that answers for handlers that call c.Error and write nothing.
// It belongs inside of every [middleware.Usage] with CountStatus. It also belongs inside of
// every [middleware.Observe] that is not around gin. If it is outside, it writes the error
// after these wrappers have ended, and they see the status 200.
func GinErrors(c *gin.Context) {
	c.Next()
	if len(c.Errors) > 0 && !c.Writer.Written() {
		c.JSON(http.StatusInternalServerError, gin.H{"error": "it failed"})
	}
}

// GinMiddleware makes a wrapper a middleware of gin. Package gin has no such adapter:
// [gin.WrapH] adapts a handler, and a handler cannot call the ones after it.
func GinMiddleware(wrapper middleware.Wrapper) gin.HandlerFunc {
	return func(c *gin.Context) {
		admitted := false
		outside := c.Writer
		wrapper(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			admitted = true
			c.Request = r
			inside, ok := w.(gin.ResponseWriter)
			if !ok { // the wrapper has a writer of its own
				inside = &ginWriter{outside, w}
			}
			c.Writer = inside
			defer func() { c.Writer = outside }()
			c.Next()

			// gin writes a status without a body after all middleware has ended, which is
			// too late for Usage. An error or an unknown path may still get a body, so
			// their status must not be written here.
			if c.FullPath() != "" && len(c.Errors) == 0 && inside.Status() != http.StatusOK {
				inside.WriteHeaderNow()
			}
		})).ServeHTTP(outside, c.Request)
		if !admitted {
			c.Abort()
		}
	}
}

// A ginWriter writes through the writer of a wrapper. It keeps the status until something
// is written, so that a handler may still change it. The writer of gin does the same.
type ginWriter struct {
	gin.ResponseWriter
	w http.ResponseWriter
}

func (g *ginWriter) WriteHeaderNow() {
	if g.Written() {
		return
	}
	g.w.WriteHeader(g.Status())
	g.ResponseWriter.WriteHeaderNow()
}

func (g *ginWriter) Write(b []byte) (int, error) {
	g.WriteHeaderNow()
	return g.w.Write(b)
}

func (g *ginWriter) WriteString(s string) (int, error) {
	g.WriteHeaderNow()
	return io.WriteString(g.w, s)
}

func (g *ginWriter) Flush() {
	g.WriteHeaderNow()
	// Flush cannot return the error. The next Write returns it.
	http.NewResponseController(g.w).Flush()
}

func (g *ginWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(g.w).Hijack()
}

// Unwrap returns the wrapper's writer, for [http.ResponseController].
func (g *ginWriter) Unwrap() http.ResponseWriter { return g.w }
