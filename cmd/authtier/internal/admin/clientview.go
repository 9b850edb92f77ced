package admin

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/authtier/authtier/cmd/authtier/internal/cli"
	"github.com/authtier/authtier/store"
)

// A clientView is a client in the output.
type clientView struct {
	ID            string       `json:"id"`
	Scopes        []string     `json:"scopes"`
	DefaultScopes []string     `json:"default_scopes"`
	Grants        []string     `json:"grants"`
	Disabled      bool         `json:"disabled"`
	Secrets       []secretView `json:"secrets"`
}

// A secretView is a client's secret in the output, without the secret.
type secretView struct {
	ID       string `json:"id"`
	Created  stamp  `json:"created"`
	Expires  stamp  `json:"expires"`
	LastUsed stamp  `json:"last_used"`
}

func viewClient(c store.Client) clientView {
	v := clientView{
		ID: c.ID, Scopes: orEmpty(c.Scopes), DefaultScopes: orEmpty(c.Default), Grants: orEmpty(c.Grants),
		Disabled: c.Disabled, Secrets: []secretView{},
	}
	for _, s := range c.Secrets {
		v.Secrets = append(v.Secrets, secretView{s.ID, stamp{s.Created}, stamp{s.Expires}, stamp{s.LastUsed}})
	}
	return v
}

func (v clientView) print(w io.Writer) {
	row(w, "ID", shown(v.ID))
	row(w, "Scopes", words(v.Scopes))
	row(w, "Default scopes", words(v.DefaultScopes))
	row(w, "Grants", words(v.Grants))
	row(w, "Disabled", yes(v.Disabled))
	for _, s := range v.Secrets {
		row(w, "Secret ID "+shown(s.ID), "created "+s.Created.text("-")+", expires "+s.Expires.text("never")+", last used "+s.LastUsed.text("-"))
	}
}

// readClient returns the client with the last uses of its secrets.
func (c *call) readClient(id string) (clientView, error) {
	client, err := c.db.Client(c.Context(), id)
	if err == nil {
		client.Secrets, err = c.db.SecretsOf(c.Context(), id)
	}
	if err != nil {
		return clientView{}, about("client", id, err)
	}
	return viewClient(*client), nil
}

// showClient prints a client.
func (c *call) showClient(id string) error {
	v, err := c.readClient(id)
	if err != nil {
		return err
	}
	return cli.Print(c.Command, v, v.print)
}

// showClientSecret prints a client with its new secret.
func (c *call) showClientSecret(id, secret string) error {
	v, err := c.readClient(id)
	if err != nil {
		return err
	}

	out := struct {
		clientView
		Secret string `json:"secret"`
	}{v, secret}
	err = cli.Print(c.Command, out, func(w io.Writer) {
		v.print(w)
		row(w, "Secret", secret)
	})
	if err == nil {
		c.note(once, "secret")
	}
	return err
}

func (g *group) addClientViews() {
	show := g.add(cobra.Command{
		Use:   "show ID",
		Short: "Show a client, and when its secrets expire and were last used",
	}, g.withStore(func(c *call) error { return c.showClient(c.args[0]) }), "ID")
	g.firstArg(show, clientIDs)

	g.add(cobra.Command{
		Use:   "list",
		Short: "List all clients",
	}, g.withStore(func(c *call) error {
		clients, err := listAll(func(after string, limit int) ([]store.Client, error) {
			return c.db.ListClients(c.Context(), after, limit)
		}, func(c store.Client) string { return c.ID })
		if err != nil {
			return err
		}

		views := []clientView{}
		for _, client := range clients {
			views = append(views, viewClient(client))
		}
		return cli.Print(c.Command, views, func(w io.Writer) {
			row(w, "ID", "DISABLED", "SECRETS", "GRANTS", "SCOPES")
			for _, v := range views {
				row(w, shown(v.ID), yes(v.Disabled), strconv.Itoa(len(v.Secrets)), words(v.Grants), words(v.Scopes))
			}
		})
	}))
}
