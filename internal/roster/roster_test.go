// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package roster

import (
	"context"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"servicestage.dev/operator/internal/cloudclient"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

type thing struct{ id, state string }

// rows lists two things, and ends with an error where there is one.
func rows(err error) Rows {
	return func(context.Context, *cloudclient.Client) iter.Seq2[Row, error] {
		list := func(yield func(*thing, error) bool) {
			if yield(&thing{"a", "on"}, nil) && yield(&thing{"b", "off"}, nil) && err != nil {
				yield(nil, err)
			}
		}
		return Of(list, func(t *thing) string { return t.id }, func(t *thing) string { return t.state })
	}
}

func TestAListIsWholeOrAnError(t *testing.T) {
	refused := 0
	list := func(err error) (map[string]mark, error) {
		l := &lister{rows: rows(err), refused: func(context.Context) { refused++ }}
		listing, err := l.List(t.Context(), 0, 0)
		return listing.Items, err
	}
	got, err := list(nil)
	if diff := cmp.Diff(map[string]mark{"a": "on", "b": "off"}, got); diff != "" || err != nil {
		t.Errorf("items, %v (-want +got):\n%s", err, diff)
	}
	if got, err := list(clouderr.New(clouderr.Transient, "cut short")); len(got) > 0 || !clouderr.Is(err, clouderr.Transient) || refused > 0 {
		t.Errorf("a list that was cut short: %v, %v, refused %d", got, err, refused)
	}
	if _, err := list(clouderr.New(clouderr.Unauthorized, "who?")); !clouderr.Is(err, clouderr.Unauthorized) || refused != 1 {
		t.Errorf("refused credentials: %v, the account was told %d times", err, refused)
	}
}

func TestFingerprintsTellThingsApart(t *testing.T) {
	first, again := Fingerprint(1, "on"), Fingerprint(1, "on")
	if Fingerprint("a", 12) == Fingerprint("a1", 2) || first != again {
		t.Error("a fingerprint is to be the same of the same alone")
	}
	if mark("").Same("") || !mark("x").Same("x") || mark("x").Same("y") {
		t.Error("marks are the same where they are equal and not empty")
	}
}
