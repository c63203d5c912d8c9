// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"context"
	"net/http"
	"net/url"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// Get returns the item with the id (8.7.3). The class is NotFound where there is none.
func (c *Client) Get(ctx context.Context, id string) (*Item, error) {
	return c.one(ctx, "GetItem", http.MethodGet, id, nil, nil)
}

// Create creates an item (8.7.1) and returns it as the server keeps it. The class is Exists where there is an item with
// the same key and labels, Quota where the engine takes no more, and Invalid where the server takes no such item.
// Without a status the server makes it disabled.
func (c *Client) Create(ctx context.Context, item Item) (*Item, error) {
	const operation = "CreateItem"
	var out Item
	if _, err := c.do(ctx, cloudclient.DirectRequest{
		Operation: operation, Method: http.MethodPost, URL: &url.URL{Path: basePath + "/kv"}, Body: item, Out: &out,
		Sensitive: []string{item.Value},
	}); err != nil {
		return nil, err
	}
	return checked(operation, &out)
}

// Update changes the value and the status of the item with the id (8.7.2) and returns it as the server keeps it; an
// empty status keeps the one that is there. The server ignores an empty value: an item gets one only by being deleted
// and created. Key, labels and type cannot change. The class is NotFound where there is no such item.
func (c *Client) Update(ctx context.Context, id, value, status string) (*Item, error) {
	body := struct {
		Value  string `json:"value"`
		Status string `json:"status,omitempty"`
	}{value, status}
	return c.one(ctx, "UpdateItem", http.MethodPut, id, body, []string{value})
}

func (c *Client) one(ctx context.Context, operation, method, id string, body any, sensitive []string) (*Item, error) {
	path, err := itemPath(id)
	if err != nil {
		return nil, err
	}
	var out Item
	if _, err := c.do(ctx, cloudclient.DirectRequest{
		Operation: operation, Method: method, URL: &url.URL{Path: path}, Body: body, Out: &out, Sensitive: sensitive,
	}); err != nil {
		return nil, err
	}
	return checked(operation, &out)
}

// Delete deletes the item with the id (8.7.5). The class is NotFound where there is none.
func (c *Client) Delete(ctx context.Context, id string) error {
	path, err := itemPath(id)
	if err != nil {
		return err
	}
	_, err = c.do(ctx, cloudclient.DirectRequest{Operation: "DeleteItem", Method: http.MethodDelete, URL: &url.URL{Path: path}})
	return err
}

// DeleteBatch deletes the items with the ids (8.7.6). Ids of which there is no item are no error. No ids at all are no
// call.
func (c *Client) DeleteBatch(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := itemPath(id); err != nil {
			return err
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := c.do(ctx, cloudclient.DirectRequest{
		Operation: "DeleteItems", Method: http.MethodDelete, URL: &url.URL{Path: basePath + "/kv"},
		Body: struct {
			IDs []string `json:"ids"`
		}{ids},
	})
	return err
}

// checked makes sure that a reply about an item carries it; one that does not is garbage.
func checked(operation string, item *Item) (*Item, error) {
	if item.ID == "" || item.Key == "" {
		return nil, &clouderr.Error{
			Class: clouderr.Transient, Service: string(cloudclient.Kie), Operation: operation,
			Message: "the configuration center's reply holds no item",
		}
	}
	return item, nil
}
