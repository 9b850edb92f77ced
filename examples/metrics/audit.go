package metrics

import (
	"log/slog"
	"net/http"

	"github.com/authtier/authtier/middleware"
)

// Audit returns a wrapper that writes one line for each request. The line has the client
// and the user, the path, the kind of credential, and the reason of a refusal. The wrapper
// belongs outside of all other wrappers.
//
// A line has no credential. The cause of a refusal is for operators, and may say more
// than the client must learn. Refusals are warnings, and failures of the server errors.
// The client has to wait for the line, so log should write to a buffer or to a fast disk.
func Audit(log *slog.Logger) middleware.Wrapper {
	return middleware.Observe(func(r *http.Request, d middleware.Decision) {
		level := slog.LevelInfo
		attributes := []slog.Attr{
			slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", d.Status),
			slog.Any("addr", middleware.ClientAddr(r)), slog.String("tier", d.Tier), slog.Duration("duration", d.Duration),
			slog.String("issuer", d.Identity.Issuer), slog.String("client", d.Identity.Client), slog.String("user", d.Identity.User),
			slog.String("token_id", d.Identity.TokenID), slog.String("api_key_id", d.Identity.APIKeyID),
		}
		if !d.Admitted() {
			level = slog.LevelWarn
			if d.Code().IsServerError() {
				level = slog.LevelError
			}
			attributes = append(attributes, slog.String("code", d.Code().String()),
				slog.String("refused_client", d.Refusal.Client), slog.Any("cause", d.Cause()))
		}
		if len(d.DroppedScopes) > 0 {
			attributes = append(attributes, slog.Any("dropped_scopes", d.DroppedScopes))
		}
		log.LogAttrs(r.Context(), level, "request", attributes...)
	})
}
