// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package external

// Match is what a look for an object's cloud resource came to.
type Match int

const (
	// MatchNone means that nothing fits: it may be created.
	MatchNone Match = iota
	// MatchOurs is a resource that carries our claim, or must be ours by its age.
	MatchOurs
	// MatchAdopt is a resource that nobody claims and that the spec asks to adopt.
	MatchAdopt
	// MatchForeign is a resource of our name that is someone else's.
	MatchForeign
	// MatchAmbiguous means that several fit.
	MatchAmbiguous
)

// MatchOf decides which of the candidates that Find yielded is the object's own. adopt says whether the spec asks to take
// what is there. Pure.
func MatchOf(candidates []Identity, claim Claim, adopt bool) (Match, Identity) {
	var ours, free, foreign []Identity
	for _, c := range candidates {
		switch {
		case !claim.IsZero() && c.ClaimKnown && c.Claim == claim.Token:
			ours = append(ours, c)
		case !claim.IsZero() && !c.ClaimKnown && claim.MadeSince(c.CreatedAt):
			ours = append(ours, c)
		case c.Claim == "":
			free = append(free, c)
		default:
			foreign = append(foreign, c)
		}
	}
	switch {
	case len(ours) > 1:
		return MatchAmbiguous, ours[0]
	case len(ours) == 1:
		return MatchOurs, ours[0]
	case adopt && len(free) > 1:
		return MatchAmbiguous, free[0]
	case adopt && len(free) == 1:
		return MatchAdopt, free[0]
	case len(foreign) > 0:
		return MatchForeign, foreign[0]
	case len(free) > 0:
		return MatchForeign, free[0]
	default:
		return MatchNone, Identity{}
	}
}
