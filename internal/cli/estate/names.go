// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package estate

import (
	"fmt"
	"regexp"
	"strings"
)

// maxName is how long a name may be that becomes part of others.
const maxName = 63

// Names gives objects names that no other object of their kind has.
type Names struct {
	taken map[string]map[string]bool
}

// Reserve keeps a name from being assigned.
func (n *Names) Reserve(kind, name string) {
	if n.taken == nil {
		n.taken = map[string]map[string]bool{}
	}
	if n.taken[kind] == nil {
		n.taken[kind] = map[string]bool{}
	}
	n.taken[kind][name] = true
}

// Assign returns a free name that is as near to the cloud's as Kubernetes allows: with the qualifier where that is taken,
// and with a number where that is, too.
func (n *Names) Assign(kind, cloudName, qualifier string) string {
	base := Name(cloudName)
	if base == "" {
		base = strings.ToLower(kind)
	}
	candidates := []string{base}
	if qualifier = Name(qualifier); qualifier != "" {
		candidates = append(candidates, Name(base+"-"+qualifier))
	}
	for number := 2; ; number++ {
		for _, name := range candidates {
			if !n.taken[kind][name] {
				n.Reserve(kind, name)
				return name
			}
		}
		suffix := fmt.Sprintf("-%d", number)
		candidates = []string{strings.TrimRight(base[:min(len(base), maxName-len(suffix))], "-") + suffix}
	}
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// Name turns a cloud's name into one that Kubernetes takes, "" where nothing of it can stay.
func Name(cloudName string) string {
	name := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(cloudName), "-"), "-")
	return strings.TrimRight(name[:min(len(name), maxName)], "-")
}
