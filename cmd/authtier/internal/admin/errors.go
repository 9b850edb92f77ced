package admin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// about returns an error of the store as one sentence about a record.
func about(what, name string, err error) error {
	problem := ""
	switch {
	case errors.Is(err, store.ErrNotFound):
		problem = "does not exist"
	case errors.Is(err, store.ErrExists):
		problem = "exists already"
	case errors.Is(err, store.ErrConflict):
		problem = "was changed by others all the time: try again"
	default:
		return err
	}
	return fmt.Errorf("%s %s", quoted(what, name), problem)
}

// unsure returns the error of a replacement that may have happened all the same.
func unsure(what, name, again string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return about(what, name, err)
	}
	return fmt.Errorf("%w: the store may have made the replacement all the same, and nobody knows the new secret: look with show, and run %s again", err, again)
}

// flagOf maps fields of records to the flags that set them.
var flagOf = map[string]string{
	"Scopes": "--scope", "Default": "--default", "Grants": "--grant", "First": "--first", "Last": "--last",
	"Lang": "--lang", "Name": "--name", "Owner": "--owner", "Addrs": "--network", "Expires": "--expires", "Client": "--client",
}

var fieldForm = regexp.MustCompile(`(?m)(^|which )(Scopes|Default|Grants|First|Last|Lang|Name|Owner|Addrs|Expires|Client)\b`)

// wrong returns a fault of a record, from its Check method, as a usage error that names
// flags in place of fields.
func wrong(what, name string, err error) error {
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), fmt.Sprintf("store: the %s %.64q: ", what, name))
	text = fieldForm.ReplaceAllStringFunc(text, func(match string) string {
		before, field, found := strings.Cut(match, " ")
		if !found {
			return flagOf[match]
		}
		return before + " " + flagOf[field]
	})
	return cli.Usagef("%s", strings.ReplaceAll(text, "\n", "; "))
}
