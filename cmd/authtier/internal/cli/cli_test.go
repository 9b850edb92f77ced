package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
)

// command returns a command that calls f. It has flags with and without a variable.
func command(f func(cmd *cobra.Command) error) *cobra.Command {
	cmd := &cobra.Command{Use: "x", Args: cobra.NoArgs, SilenceErrors: true, SilenceUsage: true,
		RunE: cli.Run(func(cmd *cobra.Command, _ []string) error { return f(cmd) })}
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.Flags().String("key-file", "auth.key", "the file")
	cmd.Flags().Duration("idle", time.Minute, "the time")
	cmd.Flags().Bool("strict", false, "be strict")
	cmd.Flags().String("secret-flag", "", "has no variable")
	cli.Env(cmd.Flags(), "key-file", "idle", "strict")
	cli.AddOutput(cmd)
	return cmd
}

func TestStatus(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		err  error
		want int
	}{
		"success":         {nil, nil, 0},
		"a failure":       {nil, errors.New("no"), 1},
		"a wrong value":   {nil, cli.Usagef("--x: expected y"), 2},
		"joined":          {nil, errors.Join(errors.New("no"), cli.Usagef("--x")), 2},
		"an unknown flag": {[]string{"--nope"}, nil, 2},
		"an argument":     {[]string{"nope"}, nil, 2},
	} {
		cmd := command(func(*cobra.Command) error { return tt.err })
		cmd.SetArgs(append([]string{}, tt.args...))
		if got := cli.Status(cmd.Execute()); got != tt.want {
			t.Errorf("%s: status %d, want %d", name, got, tt.want)
		}
	}
}

// TestEnv sets flags by the environment. The command line wins, and an empty variable
// counts as not set.
func TestEnv(t *testing.T) {
	for name, tt := range map[string]struct {
		variables map[string]string
		args      []string
		file      string
		idle      time.Duration
		changed   bool
	}{
		"nothing":          {nil, nil, "auth.key", time.Minute, false},
		"variables":        {map[string]string{"AUTHTIER_KEY_FILE": "a", "AUTHTIER_IDLE": "5s"}, nil, "a", 5 * time.Second, false},
		"the command line": {map[string]string{"AUTHTIER_KEY_FILE": "a"}, []string{"--key-file", "b"}, "b", time.Minute, true},
		"an empty one":     {map[string]string{"AUTHTIER_KEY_FILE": ""}, nil, "auth.key", time.Minute, false},
		"not for others":   {map[string]string{"AUTHTIER_SECRET_FLAG": "a"}, nil, "auth.key", time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range tt.variables {
				t.Setenv(k, v)
			}
			cmd := command(func(cmd *cobra.Command) error {
				file, _ := cmd.Flags().GetString("key-file")
				idle, _ := cmd.Flags().GetDuration("idle")
				other, _ := cmd.Flags().GetString("secret-flag")
				if file != tt.file || idle != tt.idle || other != "" || cmd.Flags().Changed("key-file") != tt.changed {
					t.Errorf("got %q, %v, %q, changed %v", file, idle, other, cmd.Flags().Changed("key-file"))
				}
				return nil
			})
			cmd.SetArgs(append([]string{}, tt.args...))
			if err := cmd.Execute(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEnvWrong tests that the error names each wrong variable and the expected value, and does
// not repeat the wrong one.
func TestEnvWrong(t *testing.T) {
	t.Setenv("AUTHTIER_IDLE", "hunter2")
	t.Setenv("AUTHTIER_STRICT", "hunter3")
	cmd := command(func(*cobra.Command) error { t.Error("it ran"); return nil })
	cmd.SetArgs(nil)
	err := cmd.Execute()
	if cli.Status(err) != 2 || strings.Contains(err.Error(), "hunter") {
		t.Fatalf("status %d, %v", cli.Status(err), err)
	}
	for _, want := range []string{`AUTHTIER_IDLE: expected a duration such as "30s"`, "AUTHTIER_STRICT: expected true or false"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestEnvHelp(t *testing.T) {
	cmd := command(nil)
	if text := cmd.UsageString(); !strings.Contains(text, "AUTHTIER_KEY_FILE") || strings.Contains(text, "AUTHTIER_SECRET_FLAG") {
		t.Errorf("the usage is\n%s", text)
	}
}

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, tt := range map[string]struct {
		file, stdin, want, fault string
		status                   int
	}{
		"a file":                  {file: file("a", "s3cret"), want: "s3cret"},
		"a file with a line end":  {file: file("b", "s3cret\r\n"), want: "s3cret"},
		"blanks are kept":         {file: file("c", " s3 cret \n"), want: " s3 cret "},
		"standard input":          {file: "-", stdin: "s3cret\n", want: "s3cret"},
		"an empty file":           {file: file("d", "\n"), fault: "--password-file: the password is empty", status: 1},
		"two lines":               {file: file("e", "s3cret\nother\n"), fault: "several lines", status: 1},
		"a large file":            {file: file("f", strings.Repeat("x", 65<<10)), fault: "larger than 65536 bytes", status: 1},
		"no such file":            {file: filepath.Join(dir, "none"), fault: "--password-file: open", status: 1},
		"no file and no terminal": {stdin: "s3cret\n", fault: "--password-file is missing", status: 2},
	} {
		var got string
		cmd := command(func(cmd *cobra.Command) (err error) {
			got, err = cli.ReadSecret(cmd, tt.file, "password-file", "the password")
			return err
		})
		cmd.SetArgs(nil)
		cmd.SetIn(strings.NewReader(tt.stdin))
		err := cmd.Execute()
		if got != tt.want || cli.Status(err) != tt.status || err != nil && (!strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "s3cret")) {
			t.Errorf("%s: got %q, status %d, %v", name, got, cli.Status(err), err)
		}
	}
}

func TestPrint(t *testing.T) {
	v := map[string]string{"name": "a<b"}
	for output, want := range map[string]string{"text": "a    b\nccc  d\n", "json": "{\n  \"name\": \"a<b\"\n}\n", "xml": ""} {
		cmd := command(func(cmd *cobra.Command) error {
			return cli.Print(cmd, v, func(w io.Writer) { io.WriteString(w, "a\tb\nccc\td\n") })
		})
		var out bytes.Buffer
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"--output", output})
		if err := cmd.Execute(); out.String() != want || cli.Status(err) == 0 != (want != "") {
			t.Errorf("%s: got %q, %v", output, out.String(), err)
		}
	}
}

// TestMisspeltVariable refuses a variable that is nearly one of a flag.
func TestMisspeltVariable(t *testing.T) {
	for name, want := range map[string]bool{
		"AUTHTIER_KEY_FIL": false, "AUTHTIER_KEY_FILES": false, "AUTHTIER_KEY_FLLE": false, "AUTHTIER_KY_FILE": false, "AUTHTIER_IDLES": false,
		"AUTHTIER_KEY_FIEL": false, "AUTHTIER_ILDE": false, "AUTHTIER_IDEL": false,
		"AUTHTIER_KEY": true, "AUTHTIER_OTHER": true, "AUTHTIER_IDLE": true, "AUTHTIER_KYE_FIEL": true,
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "5s")
			cmd := command(func(*cobra.Command) error { return nil })
			cmd.SetArgs(nil)
			err := cmd.Execute()
			if (err == nil) != want || err != nil && (cli.Status(err) != 2 || !strings.Contains(err.Error(), name+" is not a variable")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
