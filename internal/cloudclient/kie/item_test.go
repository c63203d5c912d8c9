// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestItemShapes(t *testing.T) {
	full := Item{
		ID: "8a9e", Key: "k", Value: "v", ValueType: "yaml", Status: "enabled", Labels: map[string]string{"app": "shop"},
		CreateTime: 1623139038000, UpdateTime: 1623139039000, CreateRevision: 13, UpdateRevision: 14,
	}
	tests := []struct {
		name, json string
		want       Item
	}{
		{
			"as servers answer",
			`{"id":"8a9e","key":"k","labels":{"app":"shop"},"value":"v","value_type":"yaml","status":"enabled",
			  "create_time":1623139038,"update_time":1623139039,"create_revision":13,"update_revision":14}`, full,
		},
		{
			"texts for times and versions for revisions",
			`{"id":"8a9e","key":"k","labels":{"app":"shop"},"value":"v","value_type":"YAML","status":"Enabled",
			  "create_time":"1623139038","update_time":"1623139039","create_version":"13","update_version":"14"}`, full,
		},
		{
			"wrapped, and times in milliseconds",
			`{"kie":{"id":"8a9e","key":"k","labels":{"app":"shop"},"value":"v","value_type":"yaml","status":"enabled",
			  "create_time":1623139038000,"update_time":1623139039000,"create_revision":13,"update_revision":14}}`, full,
		},
		{
			"the least", `{"id":"1","key":"k","labels":null}`,
			Item{ID: "1", Key: "k", ValueType: "text", Status: "disabled"},
		},
		{
			"an item whose key is kie", `{"id":"1","key":"kie","value":"{\"kie\":{}}"}`,
			Item{ID: "1", Key: "kie", Value: `{"kie":{}}`, ValueType: "text", Status: "disabled"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Item
			if err := json.Unmarshal([]byte(tt.json), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("item (-want +got):\n%s", diff)
			}
		})
	}
}

func TestItemBody(t *testing.T) {
	for want, item := range map[string]Item{
		`{"key":"k","value":""}`: {Key: "k", ID: "not sent", CreateRevision: 7},
		`{"key":"k","value":"v","labels":{"a":"1","b":""},"status":"enabled","value_type":"json"}`: {
			Key: "k", Value: "v", ValueType: "json", Status: "enabled", Labels: map[string]string{"b": "", "a": "1"},
		},
	} {
		got, err := json.Marshal(item)
		if err != nil || string(got) != want {
			t.Errorf("body = %s, %v; want %s", got, err, want)
		}
	}
}

func TestIdentity(t *testing.T) {
	same := []string{
		Identity("k", map[string]string{"a": "1", "b": "2"}), Item{Key: "k", Labels: map[string]string{"b": "2", "a": "1"}}.Identity(),
	}
	if same[0] != same[1] {
		t.Errorf("the same key and labels are %q and %q", same[0], same[1])
	}
	seen := map[string]int{}
	for i, other := range []string{
		same[0], Identity("k", nil), Identity("k", map[string]string{"a": "1"}), Identity("k", map[string]string{"a": `1" "b"="2`}),
		Identity("k", map[string]string{"a": "2", "b": "1"}), Identity(`k" "a"="1`, map[string]string{"b": "2"}), Identity("", nil),
	} {
		if j, found := seen[other]; found {
			t.Errorf("%d and %d are both %q", j, i, other)
		}
		seen[other] = i
	}
	if Identity("k", nil) != Identity("k", map[string]string{}) {
		t.Error("no labels and empty labels differ")
	}
}

func TestItemsPrintWithoutTheirValue(t *testing.T) {
	item := Item{Key: "k1", Value: "the-secret-value"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "item", item)
	for _, text := range []string{
		fmt.Sprint(item), fmt.Sprintf("%v %+v %#v %s %d", item, item, item, item, item), fmt.Sprint([]*Item{&item}[0]), fmt.Sprint([]Item{item}), log.String(),
	} {
		if strings.Contains(text, "secret") || !strings.Contains(text, "k1") {
			t.Errorf("printed as %s", text)
		}
	}
}
