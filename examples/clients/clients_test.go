package clients_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/authtier/authtier/errorsx"
	"github.com/authtier/authtier/issuer"
	"github.com/authtier/authtier/middleware"
	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/memory"
)

// started is a server with an issuer and one guarded route. It returns the environment
// that the clients read.
func started(t *testing.T) []string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewUnstartedServer(middleware.Errors(&errorsx.Writer{Dialect: errorsx.RFC})(mux))
	base := "http://" + server.Listener.Addr().String()
	iss, err := issuer.Open(t.Context(), base, memory.New(), &issuer.Config{AllowEphemeralKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { iss.Close() })
	secret, err := iss.CreateClient(t.Context(), store.Client{
		ID: "app", Scopes: []string{"reports:read"}, Default: []string{"reports:read"}, Grants: []string{store.GrantClientCredentials},
	})
	if err != nil {
		t.Fatal(err)
	}

	iss.Register(mux)
	guard := middleware.Chain(middleware.Bearer(iss.Validator(), nil), middleware.Scope("reports:read"))
	mux.Handle("GET /reports", guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := middleware.IdentityFromContext(r.Context())
		fmt.Fprintf(w, "reports of %s\n", id.Client)
	})))
	server.Start()
	t.Cleanup(server.Close)
	return append(os.Environ(), "ISSUER="+base, "API="+base+"/reports", "CLIENT_ID=app", "CLIENT_SECRET="+secret)
}

// unavailable skips a test that needs something that is not installed. With
// AUTHTIER_REQUIRE_SERVICES=1, it fails the test instead.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("AUTHTIER_REQUIRE_SERVICES") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// command returns a command in a folder, or skips the test if the program is missing.
func command(t *testing.T, dir, name string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		unavailable(t, "%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	return cmd
}

// runs tests that a client prints the answer of the guarded route.
func runs(t *testing.T, environment []string, cmd *exec.Cmd) {
	t.Helper()
	cmd.Env = environment
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "reports of app\n" {
		t.Errorf("%v: %v\n%s", cmd.Args, err, out)
	}
}

func TestGo(t *testing.T) {
	runs(t, started(t), command(t, ".", "go", "run", "./gooauth2"))
}

func TestNode(t *testing.T) {
	folder := t.TempDir() // nothing is installed into the checkout
	if err := os.CopyFS(folder, os.DirFS("node")); err != nil {
		t.Fatal(err)
	}
	if out, err := command(t, folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").CombinedOutput(); err != nil {
		unavailable(t, "npm ci: %v\n%s", err, out)
	}
	environment := started(t)
	for _, name := range []string{"oauth4webapi", "openid-client", "simple-oauth2", "jose"} {
		t.Run(name, func(t *testing.T) { runs(t, environment, command(t, folder, "node", name+".mjs")) })
	}
}

// debianPython is the interpreter that sees Debian's packages.
const debianPython = "/usr/bin/python3"

func TestPython(t *testing.T) {
	environment := started(t)
	for _, name := range []string{"requests_oauthlib", "authlib"} {
		t.Run(name, func(t *testing.T) {
			if out, err := command(t, ".", debianPython, "-c", "import "+name).CombinedOutput(); err != nil {
				unavailable(t, "%s", out)
			}
			runs(t, environment, command(t, ".", debianPython, filepath.Join("python", name+"_client.py")))
		})
	}
}

func TestPHP(t *testing.T) {
	if out, err := command(t, ".", "php", "-r", "exit(function_exists('curl_init') ? 0 : 1);").CombinedOutput(); err != nil {
		unavailable(t, "PHP without curl: %s", out)
	}
	runs(t, started(t), command(t, ".", "php", filepath.Join("php", "client.php")))
}
