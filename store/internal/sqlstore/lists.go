package sqlstore

import (
	"encoding/json"

	"github.com/authtier/authtier/store"
)

// clientLists holds the lists of a client, as they are stored. New versions only add
// members, which older programs ignore.
type clientLists struct {
	Secrets                 []clientSecret
	Scopes, Default, Grants []string
}

type clientSecret struct {
	Digest  []byte
	Expires int64
	ID      string `json:",omitempty"`
	Created int64  `json:",omitempty"`
}

func readLists(b []byte) (l clientLists, err error) {
	err = json.Unmarshal(b, &l)
	return l, err
}

// listsOf returns the lists of a client in their stored form.
func listsOf(c *store.Client) ([]byte, error) {
	return clientLists{Scopes: c.Scopes, Default: c.Default, Grants: c.Grants}.with(c.Secrets)
}

// readJSON reads a list. An empty list may be stored as no bytes or as null.
func readJSON[T any](b []byte, into *[]T) error {
	if len(b) == 0 {
		return nil
	}
	return json.Unmarshal(b, into)
}

func writeJSON[T any](list []T) ([]byte, error) { return json.Marshal(list) }

func (l clientLists) secrets() (secrets []store.Secret, err error) {
	for _, kept := range l.Secrets {
		d, err := digestOf(kept.Digest)
		if err != nil {
			return nil, err
		}
		secrets = append(secrets, store.Secret{ID: kept.ID, Digest: d, Created: timeOf(kept.Created), Expires: timeOf(kept.Expires)})
	}
	return secrets, nil
}

// with returns the lists with other secrets, in their stored form.
func (l clientLists) with(secrets []store.Secret) ([]byte, error) {
	l.Secrets = nil
	for _, s := range secrets {
		l.Secrets = append(l.Secrets, clientSecret{
			Digest: s.Digest[:], Expires: micros(s.Expires), ID: s.ID, Created: micros(s.Created),
		})
	}
	return json.Marshal(l)
}

// lastUses are the times when a client's secrets were used last, in microseconds by ID.
type lastUses map[string]int64

func readLastUses(b []byte) (l lastUses, err error) {
	if len(b) == 0 {
		return lastUses{}, nil
	}
	err = json.Unmarshal(b, &l)
	return l, err
}

// into sets the time of the last use of secrets.
func (l lastUses) into(secrets []store.Secret) {
	for n, s := range secrets {
		if at, ok := l[s.ID]; ok && s.ID != "" {
			secrets[n].LastUsed = timeOf(at)
		}
	}
}

// of returns the last uses of those secrets, including the given uses. news reports
// whether one of the given uses is later than the known one.
func (l lastUses) of(secrets []clientSecret, uses []store.Use) (rest lastUses, news bool) {
	rest = lastUses{}
	for _, s := range secrets {
		// Secrets from before IDs were introduced cannot be told apart.
		if s.ID == "" {
			continue
		}
		if at, ok := l[s.ID]; ok {
			rest[s.ID] = at
		}
		for _, u := range uses {
			if at := micros(u.At); u.ID == s.ID && !u.At.IsZero() && (at > rest[s.ID] || rest[s.ID] == 0) {
				rest[s.ID], news = at, true
			}
		}
	}
	return rest, news
}
