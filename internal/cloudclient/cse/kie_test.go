// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cse

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
)

// uploaded returns the one file of an import.
func uploaded(t *testing.T, r *http.Request) (name, contentType, content string) {
	t.Helper()
	file, header, err := r.FormFile("upload_file")
	if err != nil {
		t.Error(err)
		return "", "", ""
	}
	data, err := io.ReadAll(file)
	if err != nil {
		t.Error(err)
	}
	if n := len(r.MultipartForm.File) + len(r.MultipartForm.Value); n != 1 {
		t.Errorf("the form has %d fields, want 1", n)
	}
	return header.Filename, header.Header.Get("Content-Type"), strings.TrimSpace(string(data))
}

func TestImportKie(t *testing.T) {
	const uri = "POST /v1/kie/file?label=app%3Ashop&override=force"
	var name, contentType, content string
	cloud, client := newScript(t, map[string]http.HandlerFunc{uri: func(w http.ResponseWriter, r *http.Request) {
		name, contentType, content = uploaded(t, r)
		reply(200, `{"success":[{"id":"i1","key":"k1","value":"v1","value_type":"text","status":"enabled","create_time":1636374809,"update_revision":3}],
			"failure":[{"key":"k2","labels":null,"error_code":400001,"error_message":"bad value secret-two"},
			           {"key":"k3","labels":{"a":"1"},"error_code":"SVCSTG.00400649","error_message":"Too long"}]}`)(w, r)
	}})
	got, err := client.ImportKie(t.Context(), "ep1", "e1", KieImport{
		Override: OverrideForce, Label: "app:shop",
		Items: []kie.Item{{ID: "not sent", Key: "k1", Value: "v1", Status: "enabled"}, {Key: "k2", Value: "secret-two"}, {Key: "k3", Labels: map[string]string{"a": "1"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := &KieImported{
		Success: []kie.Item{{ID: "i1", Key: "k1", Value: "v1", ValueType: "text", Status: "enabled", CreateTime: 1636374809000, UpdateRevision: 3}},
		Failure: []KieFailure{
			{Key: "k2", Code: "400001", Message: "bad value [redacted]"},
			{Key: "k3", Labels: map[string]string{"a": "1"}, Code: "SVCSTG.00400649", Message: "Too long"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{uri + " [ep1]"}, cloud.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	wantFile := `{"data":[{"key":"k1","value":"v1","status":"enabled"},{"key":"k2","value":"secret-two"},{"key":"k3","value":"","labels":{"a":"1"}}]}`
	if name != "items.json" || contentType != "application/json" || content != wantFile {
		t.Errorf("file %q of %q:\n got %s\nwant %s", name, contentType, content, wantFile)
	}
	header := cloud.headers[0]
	if got := header.Get("X-Engine-Id"); got != "e1" {
		t.Errorf("x-engine-id %q, want e1", got)
	}
	if got := header.Get("X-Sdk-Content-Sha256"); got != "UNSIGNED-PAYLOAD" {
		t.Errorf("X-Sdk-Content-Sha256 %q, want UNSIGNED-PAYLOAD", got)
	}
	if signed := header.Get("Authorization"); !strings.Contains(signed, "x-engine-id") || !strings.Contains(signed, "x-enterprise-project-id") {
		t.Errorf("the engine and its project are not signed: %s", signed)
	}
}

func TestImportKieOfManyItems(t *testing.T) {
	big := strings.Repeat("x", 131072)
	var items []kie.Item
	for i := range 100 {
		items = append(items, kie.Item{Key: fmt.Sprint("k", i), Value: big})
	}
	sent := 0
	echo := func(w http.ResponseWriter, r *http.Request) {
		_, _, content := uploaded(t, r)
		var file struct {
			Data []struct{ Key string } `json:"data"`
		}
		if err := json.Unmarshal([]byte(content), &file); err != nil {
			t.Error(err)
		}
		var out []string
		for _, item := range file.Data {
			if want := fmt.Sprint("k", sent); item.Key != want {
				t.Errorf("item %s comes next, want %s", item.Key, want)
			}
			sent++
			out = append(out, `{"key":"`+item.Key+`"}`)
		}
		reply(200, `{"success":[`+strings.Join(out, ",")+`],"failure":[]}`)(w, r)
	}
	cloud, client := newScript(t, map[string]http.HandlerFunc{"POST /v1/kie/file?override=skip": echo})
	got, err := client.ImportKie(t.Context(), "", "e1", KieImport{Override: OverrideSkip, Items: items})
	if err != nil || len(got.Success) != 100 {
		t.Errorf("%d items imported, %v; want 100", len(got.Success), err)
	}
	if n := len(cloud.requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}

	t.Run("to the first duplicate", func(t *testing.T) {
		cloud, client := newScript(t, nil)
		_, err := client.ImportKie(t.Context(), "", "e1", KieImport{Override: OverrideAbort, Items: items})
		if !clouderr.Is(err, clouderr.Invalid) || len(cloud.requests()) != 0 {
			t.Errorf("%v, want class Invalid", err)
		}
	})
	t.Run("the second request fails", func(t *testing.T) {
		sent = 0
		_, client := newScript(t, map[string]http.HandlerFunc{"POST /v1/kie/file?override=force": func(w http.ResponseWriter, r *http.Request) {
			if sent > 0 {
				reply(500, "")(w, r)
				return
			}
			echo(w, r)
		}})
		got, err := client.ImportKie(t.Context(), "", "e1", KieImport{Override: OverrideForce, Items: items})
		if !clouderr.Is(err, clouderr.Transient) || len(got.Success) == 0 || len(got.Success) == 100 {
			t.Errorf("%d items imported, %v; want some and class Transient", len(got.Success), err)
		}
	})
}

func TestImportKieFailures(t *testing.T) {
	const uri = "POST /v1/kie/file?override=force"
	imported := KieImport{Override: OverrideForce, Items: []kie.Item{{Key: "k1", Value: "pass\"w0rd"}, {Key: "k2", Value: "hunter2"}}}
	for answer, want := range map[*http.HandlerFunc]clouderr.Class{
		pointer(failure(400, "SVCSTG.00400651")): clouderr.Invalid,
		pointer(failure(400, "SVCSTG.00300401")): clouderr.Forbidden,
		pointer(failure(404, "SVCSTG.00400106")): clouderr.NotFound,
		pointer(reply(200, `{}`)):                clouderr.Transient,
		pointer(reply(400, `{"error_code":"SVCSTG.00400653","error_message":"body {\"value\":\"pass\\\"w0rd\"}, hunter2","detail":"pass\"w0rd"}`)): clouderr.Invalid,
	} {
		_, client := newScript(t, map[string]http.HandlerFunc{uri: *answer})
		_, err := client.ImportKie(t.Context(), "", "e1", imported)
		if !clouderr.Is(err, want) {
			t.Errorf("%v, want class %s", err, want)
		}
		if text := fmt.Sprint(err, clouderr.UserMessage(err)); strings.Contains(text, "w0rd") || strings.Contains(text, "hunter2") {
			t.Errorf("the error shows a value: %s", text)
		}
	}
	cloud, client := newScript(t, nil)
	if _, err := client.ImportKie(t.Context(), "", "e1", KieImport{Override: "bogus"}); !clouderr.Is(err, clouderr.Invalid) {
		t.Errorf("override bogus: %v, want class Invalid", err)
	}
	if got, err := client.ImportKie(t.Context(), "", "e1", KieImport{Override: OverrideForce}); err != nil || len(cloud.requests()) != 0 {
		t.Errorf("no items: %+v, %v, %v; want no call", got, err, cloud.requests())
	}
}

func TestExportKie(t *testing.T) {
	const uri = "POST /v1/kie/download"
	cloud, client := newScript(t, map[string]http.HandlerFunc{uri: reply(200, `{"metadata":{"version":"2.0.0","annotations":{}},"data":[
		{"id":"i1","key":"k1","labels":{"a":"1"},"value":"v1","status":"enabled","value_type":"text"},null,{"id":"i2","key":"k2"}]}`)})
	got, err := client.ExportKie(t.Context(), "ep1", "e1", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []kie.Item{
		{ID: "i1", Key: "k1", Value: "v1", ValueType: "text", Status: "enabled", Labels: map[string]string{"a": "1"}},
		{ID: "i2", Key: "k2", ValueType: "text", Status: "disabled"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if got := cloud.headers[0].Get("X-Engine-Id"); got != "e1" {
		t.Errorf("x-engine-id %q, want e1", got)
	}
	for _, body := range []string{`{}`, `{"metadata":{}}`, `{"data":[{"id":"i1"}]}`, `{"data":["x"]}`} {
		_, client := newScript(t, map[string]http.HandlerFunc{uri: reply(200, body)})
		if _, err := client.ExportKie(t.Context(), "", "e1", nil); !clouderr.Is(err, clouderr.Transient) {
			t.Errorf("%s: %v, want class Transient", body, err)
		}
	}
}
