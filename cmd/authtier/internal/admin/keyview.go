package admin

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// A keyView is an API key in the output, without the key.
type keyView struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Client   string   `json:"client"`
	Scopes   []string `json:"scopes"`
	Owner    string   `json:"owner"`
	Networks []string `json:"networks"`
	Created  stamp    `json:"created"`
	Expires  stamp    `json:"expires"`
	LastUsed stamp    `json:"last_used"`
}

func viewKey(k store.APIKey) keyView {
	return keyView{
		ID: k.ID, Name: k.Name, Client: k.Client, Scopes: orEmpty(k.Scopes), Owner: k.Owner, Networks: networks(k.Addrs).texts(),
		Created: stamp{k.Created}, Expires: stamp{k.Expires}, LastUsed: stamp{k.LastUsed},
	}
}

func (v keyView) print(w io.Writer) {
	addrs := "everywhere"
	if len(v.Networks) > 0 {
		addrs = words(v.Networks)
	}
	row(w, "ID", shown(v.ID))
	row(w, "Name", shown(v.Name))
	row(w, "Client", shown(v.Client))
	row(w, "Scopes", words(v.Scopes))
	row(w, "Owner", shown(v.Owner))
	row(w, "Works from", addrs)
	row(w, "Created", v.Created.text("-"))
	row(w, "Expires", v.Expires.text("never"))
	row(w, "Last used", v.LastUsed.text("-"))
}

// showKey prints an API key.
func (c *call) showKey(id string) error {
	k, err := c.db.APIKeyByID(c.Context(), id)
	if err != nil {
		return about("API key", id, err)
	}
	v := viewKey(*k)
	return cli.Print(c.Command, v, v.print)
}

// showNewKey prints an API key together with the key itself.
func (c *call) showNewKey(id, key string) error {
	k, err := c.db.APIKeyByID(c.Context(), id)
	if err != nil {
		return about("API key", id, err)
	}

	out := struct {
		keyView
		Key string `json:"key"`
	}{viewKey(*k), key}
	err = cli.Print(c.Command, out, func(w io.Writer) {
		out.print(w)
		row(w, "Key", key)
	})
	if err == nil {
		c.note(once, "key")
	}
	return err
}

func (g *group) addKeyViews() {
	show := g.add(cobra.Command{
		Use:   "show KEY-ID",
		Short: "Show an API key by its ID",
	}, g.withStore(func(c *call) error { return c.showKey(c.args[0]) }), "KEY-ID")
	g.firstArg(show, keyIDs)

	var client string
	list := g.add(cobra.Command{
		Use:   "list",
		Short: "List the API keys of a client or of all clients, with expired ones",
	}, g.withStore(func(c *call) error {
		// An empty value would list the keys of all clients.
		if c.changed("client") && client == "" {
			return cli.Usagef("--client is empty, expected the ID of a client")
		}
		return c.listKeys(client)
	}))
	list.Flags().StringVar(&client, "client", "", "list only the keys of the client of this ID")
	g.flag(list, "client", clientIDs)
}

// listKeys prints the API keys of a client, or of all clients.
func (c *call) listKeys(client string) error {
	keys, err := listAll(func(after string, limit int) ([]store.APIKey, error) {
		return c.db.ListAPIKeys(c.Context(), client, after, limit)
	}, func(k store.APIKey) string { return k.ID })
	if err == nil && len(keys) == 0 && client != "" {
		_, err = c.db.Client(c.Context(), client)
	}
	if err != nil {
		return about("client", client, err)
	}

	views := []keyView{}
	for _, k := range keys {
		views = append(views, viewKey(k))
	}
	return cli.Print(c.Command, views, func(w io.Writer) {
		row(w, "ID", "CLIENT", "NAME", "OWNER", "EXPIRES", "LAST USED", "SCOPES")
		for _, v := range views {
			row(w, shown(v.ID), shown(v.Client), shown(v.Name), shown(v.Owner), v.Expires.text("never"), v.LastUsed.text("-"), words(v.Scopes))
		}
	})
}
