package admin

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns a terminal, and the end at which a person types.
func terminal(t *testing.T) (tty, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	t.Cleanup(func() { person.Close() })
	must(t, unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	must(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return tty, person
}

// TestPrompt types passwords and a token at a terminal.
func TestPrompt(t *testing.T) {
	b := newBox(t)
	typed := func(text string) {
		tty, person := terminal(t)
		b.in = tty
		_, err := person.WriteString(text)
		must(t, err)
	}

	typed("secret\nother\n")
	b.fails(1, "the two passwords differ", "user", "create", "ada")
	if _, err := b.open().User(t.Context(), "ada"); err == nil {
		t.Error("the user was made")
	}
	typed("secret\nsecret\n")
	_, prompts, status := b.run("user", "create", "ada")
	if status != 0 || !strings.Contains(prompts, "the password: ") || !strings.Contains(prompts, "the password again: ") || strings.Contains(prompts, "secret") {
		t.Errorf("status %d, %q", status, prompts)
	}
	if err := b.login("ada", "secret"); err != nil {
		t.Error(err)
	}

	typed("canary\n")
	b.inactive("AUTH-12", "token", "inspect")
}
