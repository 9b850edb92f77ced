package record_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/authtier/authtier/store"
	"github.com/authtier/authtier/store/internal/record"
)

// A cell holds a user, and counts the reads and writes of Update.
type cell struct {
	user          store.User
	reads, writes int
	write         func(old, changed *store.User) (bool, error)
}

func (c *cell) update(f func(*store.User) error) error {
	return record.Update(record.Users, f, func() (*store.User, error) {
		c.reads++
		return record.Users.Clone(&c.user), nil
	}, func(old, changed *store.User) (bool, error) {
		c.writes++
		return c.write(old, changed)
	})
}

func newCell() *cell {
	c := &cell{user: store.User{Login: "u", Scopes: []string{"a"}, LimitScopes: true}}
	c.write = func(old, changed *store.User) (bool, error) {
		if !record.SameUser(old, &c.user) {
			return false, nil
		}
		c.user = *changed
		return true, nil
	}
	return c
}

func TestUpdate(t *testing.T) {
	c := newCell()
	var kept *store.User
	for _, scope := range []string{"b", "c"} {
		err := c.update(func(u *store.User) error {
			if u.Scopes[0] = scope; kept == nil {
				kept = u
			}
			return nil
		})
		if err != nil || c.user.Scopes[0] != scope {
			t.Errorf("got %v, %v, want the scope %s", c.user.Scopes, err, scope)
		}
		kept.Scopes[0] = "admin"
		if c.user.Scopes[0] != scope {
			t.Error("f changed the stored record after Update returned")
		}
	}
}

func TestUpdateWritesNothing(t *testing.T) {
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		f    func(*store.User) error
		want string // in the error; "" for none
	}{
		"no change":        {func(u *store.User) error { u.Scopes = []string{"a"}; return nil }, ""},
		"an error":         {func(u *store.User) error { u.First = "F"; return refused }, "refused"},
		"a fixed field":    {func(u *store.User) error { u.Password = "x"; return nil }, "Password"},
		"an invalid field": {func(u *store.User) error { u.Lang = "\n"; return nil }, "Lang"},
	} {
		c := newCell()
		err := c.update(tt.f)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) || c.writes != 0 {
			t.Errorf("%s: got %v after %d writes, want %q after none", name, err, c.writes, tt.want)
		}
	}
}

func TestUpdateTriesAgain(t *testing.T) {
	c, calls := newCell(), 0
	err := c.update(func(u *store.User) error {
		if calls++; calls < 16 {
			c.user.First = fmt.Sprint(calls)
		}
		u.Last += "L"
		return nil
	})
	if err != nil || calls != 16 || c.user.First != "15" || c.user.Last != "L" {
		t.Errorf("got %v after %d calls, and %+v, %q", err, calls, c.user, c.user.Last)
	}
	calls = 0
	err = c.update(func(u *store.User) error {
		calls++
		c.user.First += "x"
		u.Last = "other"
		return nil
	})
	if !errors.Is(err, store.ErrConflict) || calls != 16 || c.user.Last != "L" {
		t.Errorf("a record that keeps changing: got %v after %d calls, %q", err, calls, c.user.Last)
	}
}

// TestSame changes each field in turn. The comparison must see every change except that of
// the last use, which other writers make at any time.
func TestSame(t *testing.T) {
	check(t, record.Clients)
	check(t, record.Users)
	check(t, record.APIKeys)
}

func check[T any](t *testing.T, k record.Kind[T]) {
	t.Helper()
	var zero T
	for i := range reflect.TypeFor[T]().NumField() {
		name := reflect.TypeFor[T]().Field(i).Name
		changed := new(T)
		field := reflect.ValueOf(changed).Elem().Field(i)
		switch field.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Uint64:
			field.SetUint(1)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
		case reflect.Array:
			field.Index(0).SetUint(1)
		default:
			field.Set(reflect.ValueOf(time.Unix(1, 0)))
		}
		if k.Same(&zero, changed) != (name == "LastUsed") {
			t.Errorf("%T.%s: the comparison does not see that it differs", zero, name)
		}
		clone := k.Clone(changed)
		if !reflect.DeepEqual(clone, changed) {
			t.Errorf("%T.%s: the copy is %+v, want %+v", zero, name, clone, changed)
		}
		if copied := reflect.ValueOf(clone).Elem().Field(i); field.Kind() == reflect.Slice && copied.Pointer() == field.Pointer() {
			t.Errorf("%T.%s: the copy shares the slice", zero, name)
		}
	}
}
