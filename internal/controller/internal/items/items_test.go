// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package items

import (
	"context"
	"errors"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/kie"
)

func TestIdentityIsTheKeyWithAllLabels(t *testing.T) {
	base := Identity("a", map[string]string{"app": "shop", "env": "dev"})
	if len(base) != 16 {
		t.Errorf("identity %q has %d characters, want 16", base, len(base))
	}
	same := Item{Key: "a", Labels: map[string]string{"env": "dev", "app": "shop"}, Value: "whatever"}
	if got := same.Identity(); got != base {
		t.Errorf("the same key and labels are %q, want %q", got, base)
	}
	for name, other := range map[string]string{
		"another key":     Identity("b", map[string]string{"app": "shop", "env": "dev"}),
		"a label less":    Identity("a", map[string]string{"app": "shop"}),
		"another value":   Identity("a", map[string]string{"app": "shop", "env": "prod"}),
		"no labels":       Identity("a", nil),
		"labels in a key": Identity(`a" "app"="shop" "env"="dev`, nil),
	} {
		if other == base {
			t.Errorf("%s has the same identity", name)
		}
	}
}

func TestNameShowsLabelsWhereAsked(t *testing.T) {
	labels := map[string]string{"b": "2", "a": "1"}
	for _, tc := range []struct {
		labels     map[string]string
		withLabels bool
		want       string
	}{
		{labels, true, "key{a=1,b=2}"},
		{labels, false, "key"},
		{nil, true, "key"},
	} {
		if got := Name("key", tc.labels, tc.withLabels); got != tc.want {
			t.Errorf("Name(%v, %t) = %q, want %q", tc.labels, tc.withLabels, got, tc.want)
		}
	}
}

func TestWhatIsObservedAgainstWhatIsWanted(t *testing.T) {
	observed := kie.Item{Key: "k", Value: "v", ValueType: "text", Status: kie.StatusEnabled, CreateTime: 1000}
	for name, tc := range map[string]struct {
		want            Item
		shows, replaced bool
	}{
		"the same":             {Item{Key: "k", Value: "v", ValueType: "text", Enabled: true}, true, false},
		"another value":        {Item{Key: "k", Value: "w", ValueType: "text", Enabled: true}, false, false},
		"disabled":             {Item{Key: "k", Value: "v", ValueType: "text"}, false, false},
		"another type":         {Item{Key: "k", Value: "v", ValueType: "json", Enabled: true}, false, true},
		"an empty value":       {Item{Key: "k", ValueType: "text", Enabled: true}, false, true},
		"its labels elsewhere": {Item{Key: "k", Labels: map[string]string{"a": "b"}, Value: "v", ValueType: "text", Enabled: true}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := Of(&observed)
			if got := f.Shows(tc.want); got != tc.shows {
				t.Errorf("Shows = %t, want %t", got, tc.shows)
			}
			if got := f.Replaced(tc.want); got != tc.replaced {
				t.Errorf("Replaced = %t, want %t", got, tc.replaced)
			}
			if written := tc.want.cloud(); !Of(&written).Shows(tc.want) {
				t.Error("what is written does not show what is wanted")
			}
		})
	}
	if f := Of(&observed); !f.CreatedAt.Equal(time.UnixMilli(1000)) || f.Empty {
		t.Errorf("created at %s, empty %t", f.CreatedAt, f.Empty)
	}
	if f := Of(&kie.Item{Key: "k"}); !f.CreatedAt.IsZero() || !f.Empty || f.Replaced(Item{}) {
		t.Errorf("an empty item of unknown age is read as %+v", f)
	}
}

func TestHopelessErrorsEndAPass(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error
		want bool
	}{
		"a refused login":      {clouderr.New(clouderr.Unauthorized, "no"), true},
		"a missing permission": {clouderr.New(clouderr.Forbidden, "no"), true},
		"a limit":              {clouderr.New(clouderr.Throttled, "later"), true},
		"nobody answers":       {clouderr.New(clouderr.Transient, "reset"), true},
		"a server error":       {&clouderr.Error{Class: clouderr.Transient, Status: 500, Message: "etcd"}, false},
		"a bad item":           {clouderr.New(clouderr.Invalid, "too long"), false},
		"an item in the way":   {clouderr.New(clouderr.Exists, "taken"), false},
	} {
		if got := hopeless(tc.err); got != tc.want {
			t.Errorf("%s: hopeless = %t, want %t", name, got, tc.want)
		}
	}
	if !hopeless(errors.Join(context.Canceled)) {
		t.Error("a call that was cut short is followed by more")
	}
}
