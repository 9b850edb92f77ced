package issuer

import (
	"net/http"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/store"
)

// RevokeHandler returns the revocation endpoint (RFC 7009). What a token takes
// with it is said at [Issuer.RevokeToken]. A token that is unknown, revoked or
// another client's is answered 200 like any other; a store that fails is not.
func (i *Issuer) RevokeHandler(cfg HTTPConfig) http.Handler {
	return endpoint{issuer: i, cfg: cfg, params: []string{"token", "token_type_hint"}, serve: i.revoke}
}

func (i *Issuer) revoke(w http.ResponseWriter, r *http.Request, client *store.Client, params map[string]string) error {
	if params["token"] == "" {
		return missing("token")
	}
	if err := i.RevokeToken(r.Context(), client.ID, params["token"]); err != nil {
		return &errorsx.Error{Code: errorsx.Internal, Err: err}
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}
