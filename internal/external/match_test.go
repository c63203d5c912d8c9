// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package external

import (
	"testing"
	"time"
)

func TestMatchOf(t *testing.T) {
	claim := Claim{Token: "ours", MintedAt: minted}
	marked := func(id, token string) Identity {
		return Identity{ID: id, Claim: token, ClaimKnown: true, CreatedAt: minted.Add(-time.Hour)}
	}
	unmarkable := func(id string, age time.Duration) Identity {
		return Identity{ID: id, CreatedAt: minted.Add(age)}
	}
	ageless := Identity{ID: "ageless"}
	for _, tc := range []struct {
		name       string
		candidates []Identity
		claim      Claim
		adopt      bool
		want       Match
		id         string
	}{
		{name: "nothing", claim: claim, want: MatchNone},
		{name: "nothing to adopt", claim: claim, adopt: true, want: MatchNone},
		{name: "ours", claim: claim, candidates: []Identity{marked("a", "ours")}, want: MatchOurs, id: "a"},
		{name: "ours among others", claim: claim, candidates: []Identity{marked("x", "theirs"), marked("f", ""), marked("a", "ours")}, want: MatchOurs, id: "a"},
		{name: "ours goes before adoption", claim: claim, adopt: true, candidates: []Identity{marked("f", ""), marked("a", "ours")}, want: MatchOurs, id: "a"},
		{name: "ours twice", claim: claim, candidates: []Identity{marked("a", "ours"), marked("b", "ours")}, want: MatchAmbiguous, id: "a"},
		{name: "free", claim: claim, candidates: []Identity{marked("f", "")}, want: MatchForeign, id: "f"},
		{name: "free, to adopt", claim: claim, adopt: true, candidates: []Identity{marked("f", "")}, want: MatchAdopt, id: "f"},
		{name: "free, to adopt, without a claim", adopt: true, candidates: []Identity{marked("f", "")}, want: MatchAdopt, id: "f"},
		{name: "free beside claimed, to adopt", claim: claim, adopt: true, candidates: []Identity{marked("x", "theirs"), marked("f", "")}, want: MatchAdopt, id: "f"},
		{name: "several free, to adopt", claim: claim, adopt: true, candidates: []Identity{marked("f", ""), marked("g", "")}, want: MatchAmbiguous, id: "f"},
		{name: "several free", claim: claim, candidates: []Identity{marked("f", ""), marked("g", "")}, want: MatchForeign, id: "f"},
		{name: "claimed by another", claim: claim, candidates: []Identity{marked("x", "theirs")}, want: MatchForeign, id: "x"},
		{name: "claimed by another is never adopted", claim: claim, adopt: true, candidates: []Identity{marked("x", "theirs")}, want: MatchForeign, id: "x"},
		{name: "an empty claim is nobody's", candidates: []Identity{marked("f", "")}, want: MatchForeign, id: "f"},
		{name: "claimed by another goes before free", claim: claim, candidates: []Identity{marked("f", ""), marked("x", "theirs")}, want: MatchForeign, id: "x"},
		{name: "unmarkable, made after the claim", claim: claim, candidates: []Identity{unmarkable("a", time.Second)}, want: MatchOurs, id: "a"},
		{name: "unmarkable, made before the claim by a slow clock", claim: claim, candidates: []Identity{unmarkable("a", -59*time.Second)}, want: MatchOurs, id: "a"},
		{name: "unmarkable, made before the claim", claim: claim, candidates: []Identity{unmarkable("f", -time.Minute)}, want: MatchForeign, id: "f"},
		{name: "unmarkable, made before the claim, to adopt", claim: claim, adopt: true, candidates: []Identity{unmarkable("f", -time.Hour)}, want: MatchAdopt, id: "f"},
		{name: "unmarkable, of unknown age", claim: claim, candidates: []Identity{ageless}, want: MatchForeign, id: "ageless"},
		{name: "unmarkable, without a claim", candidates: []Identity{unmarkable("f", time.Second)}, want: MatchForeign, id: "f"},
		{name: "markable and unmarked is not ours by its age", claim: claim, candidates: []Identity{{ID: "f", ClaimKnown: true, CreatedAt: minted.Add(time.Second)}}, want: MatchForeign, id: "f"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, identity := MatchOf(tc.candidates, tc.claim, tc.adopt)
			if got != tc.want || identity.ID != tc.id {
				t.Errorf("MatchOf = %d with %q, want %d with %q", got, identity.ID, tc.want, tc.id)
			}
		})
	}
}
