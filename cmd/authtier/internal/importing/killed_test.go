package importing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
)

// process returns the command in a process of its own.
func (f *fixture) process(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary, append([]string{"import", "keys", "--store", "sqlite:" + f.file}, args...)...)
	cmd.Env = append(os.Environ(), processVariable+"=1")
	return cmd
}

func keyLine(n int) string {
	return fmt.Sprintf("k%d,acme,%s,%s,the name %d,2999-01-%02d\n", n, plain(n), []string{"", "a", "a b"}[n%3], n, n%28+1)
}

// TestKilled kills an import 20 times, and compares all records after its end.
func TestKilled(t *testing.T) {
	const size, kills = 10_000, 20
	f := newFixture(t)
	killed := 0
	for range kills {
		// The import reads about as far as it has written, because a pipe holds little.
		cmd := f.process(t, "--batch", "500", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(in, "id,client,key,scopes,name,expires\n")
		for n := range rand.N(size) {
			if err == nil {
				_, err = io.WriteString(in, keyLine(n))
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd.Process.Kill()
		if err := cmd.Wait(); err != nil && !cmd.ProcessState.Success() {
			killed++
		}
		in.Close()
	}
	if killed != kills {
		t.Errorf("%d of %d processes were killed", killed, kills)
	}

	csv := strings.Builder{}
	csv.WriteString("id,client,key,scopes,name,expires\n")
	for n := range size {
		csv.WriteString(keyLine(n))
	}
	status, out, errs := f.run(csv.String(), "keys")
	var imported, already string
	if _, err := fmt.Sscanf(out, "%s imported, %s already there, 0 faulty lines\n", &imported, &already); err != nil || status != 0 || already == "0" {
		t.Fatalf("status %d, output %s, errors %s, %v", status, out, errs, err)
	}
	f.compareAll(t, size)
}

// compareAll compares all stored keys with those of keyLine.
func (f *fixture) compareAll(t *testing.T, size int) {
	t.Helper()
	stored := 0
	for after := ""; ; {
		ks, err := f.ListAPIKeys(t.Context(), "", after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(ks) == 0 {
			break
		}
		stored += len(ks)
		after = ks[len(ks)-1].ID
	}
	if stored != size {
		t.Errorf("%d keys are stored, want %d", stored, size)
	}

	for n := range size {
		k, err := f.APIKey(t.Context(), store.DigestOf(plain(n)))
		if err != nil {
			t.Fatalf("key %d: %v", n, err)
		}
		got := fmt.Sprintf("%s,%s,%s,%s,%s,%s\n", k.ID, k.Client, plain(n), strings.Join(k.Scopes, " "), k.Name, k.Expires.Format(time.DateOnly))
		if got != keyLine(n) || k.Created.IsZero() {
			t.Fatalf("key %d is %s, want %s", n, got, keyLine(n))
		}
	}
}

// TestInterrupted interrupts an import that waits for more of its input.
func TestInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted there")
	}
	f := newFixture(t)
	cmd := f.process(t, "--batch", "100", "-")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var csv strings.Builder
	csv.WriteString("id,client,key,scopes,name,expires\n")
	for n := range 250 {
		csv.WriteString(keyLine(n))
	}
	if _, err := io.WriteString(in, csv.String()); err != nil {
		t.Fatal(err)
	}

	// Two batches are stored, and the third is not complete.
	for !f.stored(t.Context(), "k199") {
		if t.Context().Err() != nil || cmd.ProcessState != nil {
			t.Fatal("the second batch was not stored")
		}
		time.Sleep(time.Millisecond)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	in.Close()

	exit, _ := errors.AsType[*exec.ExitError](err)
	const want = "error: standard input: interrupted after line 201 with 200 imported: running the same command again resumes the import\n"
	if exit == nil || exit.ExitCode() != 1 || out.String() != "200 imported, 0 already there, 0 faulty lines\n" || errs.String() != want {
		t.Errorf("%v, output %s, errors %s", err, &out, &errs)
	}
	f.want(t, 0, "50 imported, 200 already there, 0 faulty lines", "", csv.String(), "keys")
	f.compareAll(t, 250)
}

func (f *fixture) stored(ctx context.Context, id string) bool {
	_, err := f.APIKeyByID(ctx, id)
	return err == nil
}
