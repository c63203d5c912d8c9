// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/cloudclient/wire"
)

// What an import does with an item whose key and labels are there already.
const (
	// OverrideForce: it is overwritten.
	OverrideForce = "force"
	// OverrideSkip: it is left out.
	OverrideSkip = "skip"
	// OverrideAbort: the import ends there.
	OverrideAbort = "abort"
)

// maxImport is the size from which an import is split, in bytes: half of what the gateway takes in one request, so that
// what multipart and JSON add still fits.
const maxImport = 6 << 20

// KieImport is an import of configuration items into an engine. Of the items the key, value, labels, status and type
// count.
type KieImport struct {
	// Override is "force", "skip" or "abort".
	Override string
	// Label is "key:value" and replaces the labels of all items where not empty.
	Label string
	Items []kie.Item
}

// KieFailure is an item that was not imported. It is data and no error: the others were.
type KieFailure struct {
	Key    string
	Labels map[string]string
	// Code and Message say why.
	Code, Message string
}

// KieImported is how an import went, item by item.
type KieImported struct {
	Success []kie.Item
	Failure []KieFailure
}

// ImportKie imports configuration items into an engine (7.2.1). The class is NotFound where the gateway does not know the
// engine. It takes one request, or several where the items are too
// many for one; where a later one fails, the result tells what the earlier ones did and the error is not nil. An import
// that ends at the first duplicate is never split.
func (c *Client) ImportKie(ctx context.Context, enterpriseProjectID, id string, imported KieImport) (*KieImported, error) {
	whole := &KieImported{}
	switch imported.Override {
	case OverrideForce, OverrideSkip, OverrideAbort:
	default:
		return whole, clouderr.New(clouderr.Invalid, "override %q is none of force, skip and abort", imported.Override)
	}
	batches, err := split(imported)
	if err != nil {
		return whole, err
	}
	for _, batch := range batches {
		part, err := c.importBatch(ctx, target{enterpriseProjectID, id}, imported, batch)
		if err != nil {
			return whole, err
		}
		whole.Success = append(whole.Success, part.Success...)
		whole.Failure = append(whole.Failure, part.Failure...)
	}
	return whole, nil
}

// split encodes the items and cuts them into batches that fit into a request.
func split(imported KieImport) ([][][]byte, error) {
	var (
		batches [][][]byte
		batch   [][]byte
		size    int
	)
	for _, item := range imported.Items {
		encoded, err := json.Marshal(item)
		if err != nil {
			return nil, clouderr.New(clouderr.Invalid, "item %q cannot be written as JSON", item.Key)
		}
		if size+len(encoded) > maxImport && len(batch) > 0 && imported.Override != OverrideAbort {
			batches, batch, size = append(batches, batch), nil, 0
		}
		batch, size = append(batch, encoded), size+len(encoded)+1
	}
	if len(batch) > 0 {
		batches = append(batches, batch)
	}
	return batches, nil
}

func (c *Client) importBatch(ctx context.Context, engine target, imported KieImport, batch [][]byte) (*KieImported, error) {
	const operation = "ImportKie"
	payload, err := upload(batch)
	if err != nil {
		return nil, err
	}
	query := url.Values{"override": {imported.Override}}
	if imported.Label != "" {
		query.Set("label", imported.Label)
	}
	values := make([]string, 0, len(imported.Items))
	ofKey := map[string][]string{}
	for _, item := range imported.Items {
		values = append(values, item.Value)
		ofKey[item.Key] = append(ofKey[item.Key], item.Value)
	}
	var out struct {
		Success *wire.List[kie.Item]    `json:"success"`
		Failure *wire.List[failureJSON] `json:"failure"`
	}
	if err := c.about(ctx, engine, cloudclient.Request{
		Operation: operation, Method: http.MethodPost, Path: kiePath + "/file", Query: query,
		Header: http.Header{"X-Engine-Id": {engine.id}}, Body: payload, Out: &out, Sensitive: values,
	}); err != nil {
		return nil, withoutValues(err, values)
	}
	if out.Success == nil && out.Failure == nil {
		return nil, garbage(operation, "result")
	}
	result := &KieImported{}
	if out.Success != nil {
		result.Success = *out.Success
	}
	if out.Failure != nil {
		for _, one := range *out.Failure {
			result.Failure = append(result.Failure, KieFailure{
				Key: string(one.Key), Labels: one.Labels, Code: string(one.Code),
				Message: cloudclient.Redact(string(cmp.Or(one.Message, one.MessageToo)), ofKey[string(one.Key)]...),
			})
		}
	}
	return result, nil
}

type failureJSON struct {
	Key        wire.Text  `json:"key"`
	Labels     wire.Texts `json:"labels"`
	Code       wire.Text  `json:"error_code"`
	Message    wire.Text  `json:"error_message"`
	MessageToo wire.Text  `json:"error_msg"`
}

// withoutValues hides the forms of the values that JSON inside a message shows.
func withoutValues(err error, values []string) error {
	failure := *asError(err)
	failure.Message = cloudclient.Redact(failure.Message, values...)
	return &failure
}

// upload writes the form: one file of JSON in the field upload_file.
func upload(items [][]byte) (cloudclient.Payload, error) {
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	part, err := writer.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="upload_file"; filename="items.json"`},
		"Content-Type":        {"application/json"},
	})
	if err == nil {
		_, err = fmt.Fprintf(part, `{"data":[%s]}`, bytes.Join(items, []byte(",")))
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		return cloudclient.Payload{}, fmt.Errorf("writing the form of an import: %w", err)
	}
	return cloudclient.Payload{ContentType: writer.FormDataContentType(), Data: form.Bytes()}, nil
}

// ExportKie returns the configuration items with the ids, or all of an engine's where there are no ids (7.2.2). Exported
// items have no revisions and no times. The class is NotFound where the gateway does not know the engine or an item.
func (c *Client) ExportKie(ctx context.Context, enterpriseProjectID, id string, ids []string) ([]kie.Item, error) {
	const operation = "ExportKie"
	if ids == nil {
		ids = []string{}
	}
	engine := target{enterpriseProjectID, id}
	var out struct {
		Data *wire.List[kie.Item] `json:"data"`
	}
	if err := c.about(ctx, engine, cloudclient.Request{
		Operation: operation, Method: http.MethodPost, Path: kiePath + "/download", Header: http.Header{"X-Engine-Id": {engine.id}},
		Body: struct {
			IDs []string `json:"ids"`
		}{ids}, Out: &out,
	}); err != nil {
		return nil, err
	}
	if out.Data == nil {
		return nil, garbage(operation, "list")
	}
	for i, item := range *out.Data {
		if item.Key == "" {
			return nil, garbage(operation, "key in item "+strconv.Itoa(i))
		}
	}
	return *out.Data, nil
}
