// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package external

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// Claim is how a cloud resource is recognised as an object's own when its id was never written down: after a crash, a
// lost reply, or a restore from a backup. It is minted right before the first create call.
type Claim struct {
	// Token is 32 hexadecimal digits, which every cloud's labels can carry.
	Token string
	// MintedAt is when the claim was minted, by the operator's clock, in whole seconds.
	MintedAt time.Time
	// Owner says for people who claims, as OwnerOf writes it. It is in no annotation, and decides nothing.
	Owner string
}

// LabelKey is the key of the cloud label that carries a claim. It never shows up as drift.
const LabelKey = "servicestage-dev-claim"

// OwnerKey is the key of the cloud label that says for people whose claim it is. It never shows up as drift, and is
// written with the claim, or when labels are written anyway: it never costs a call of its own.
const OwnerKey = "servicestage-dev-owner"

// maxOwner is what every cloud's labels can carry.
const maxOwner = 43

// ownerSeparator is a character that no name in Kubernetes holds.
const ownerSeparator = "_"

// OwnerOf is how an owner is written in a label: what the cluster is called, where that is known, the namespace, and the
// name. What is too long for a label ends early.
func OwnerOf(cluster, namespace, name string) string {
	owner := namespace + ownerSeparator + name
	if cluster != "" {
		owner = cluster + ownerSeparator + owner
	}
	return owner[:min(len(owner), maxOwner)]
}

// NewClaim mints a claim.
func NewClaim(now time.Time) Claim {
	var token [16]byte
	// crypto/rand.Read never fails: it ends the program where the system has no randomness.
	_, _ = rand.Read(token[:])
	return Claim{Token: hex.EncodeToString(token[:]), MintedAt: now.UTC().Truncate(time.Second)}
}

// ParseClaim reads what String wrote. "" is no claim and no error.
func ParseClaim(s string) (Claim, error) {
	if s == "" {
		return Claim{}, nil
	}
	token, minted, _ := strings.Cut(s, "@")
	if raw, err := hex.DecodeString(token); err != nil || len(raw) != 16 {
		return Claim{}, fmt.Errorf("%q is not a claim (32 hexadecimal digits, @, a time): restore the annotation from a backup, or remove it if the object has no cloud resource", s)
	}
	at, err := time.Parse(time.RFC3339, minted)
	if err != nil {
		return Claim{}, fmt.Errorf("%q is not a claim: the part behind @ is not a time: %w", s, err)
	}
	return Claim{Token: token, MintedAt: at}, nil
}

// clockSkew is how far the cloud's clock may be behind the operator's.
const clockSkew = time.Minute

// MadeSince says whether what was created at a time of the cloud's clock was created after the claim was minted; false
// where the time is not known.
func (c Claim) MadeSince(created time.Time) bool {
	return !c.IsZero() && !created.IsZero() && created.After(c.MintedAt.Add(-clockSkew))
}

// IsZero says whether there is no claim.
func (c Claim) IsZero() bool { return c.Token == "" }

// String is how a claim is written in an annotation.
func (c Claim) String() string {
	if c.IsZero() {
		return ""
	}
	return c.Token + "@" + c.MintedAt.UTC().Format(time.RFC3339)
}
