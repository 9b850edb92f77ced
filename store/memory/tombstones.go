package memory

import "github.com/authtier/authtier/store"

// tombstones are the API keys and secrets that can never be created again.
type tombstones struct {
	keyIDs  map[string]bool
	keys    map[store.Digest]bool
	secrets map[clientSecret]bool
}

type clientSecret struct {
	client string
	digest store.Digest
}

func newTombstones() tombstones {
	return tombstones{keyIDs: map[string]bool{}, keys: map[store.Digest]bool{}, secrets: map[clientSecret]bool{}}
}

// hasKey reports whether a key with that ID or digest was revoked.
func (t *tombstones) hasKey(k *store.APIKey) bool { return t.keyIDs[k.ID] || t.keys[k.Digest] }

func (t *tombstones) hasSecret(client string, s *store.Secret) bool {
	return t.secrets[clientSecret{client, s.Digest}]
}

// addSecrets marks secrets that the client no longer has.
func (t *tombstones) addSecrets(client string, secrets []store.Secret) {
	for _, s := range secrets {
		t.secrets[clientSecret{client, s.Digest}] = true
	}
}
