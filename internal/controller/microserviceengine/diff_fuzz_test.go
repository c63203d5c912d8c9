// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package microserviceengine

import (
	"slices"
	"strings"
	"testing"

	"servicestage.dev/operator/internal/cloudclient/cse"
)

// Whatever is wanted and whatever the cloud holds, comparing them does not panic and lists paths in order; of what holds
// exactly what is wanted, nothing differs.
func FuzzDiff(f *testing.F) {
	f.Add("main", "text", "cse.s1.small2", "RBAC", "az1 az2", "vpc-1", "Available", "az2")
	f.Add("", "", "", "", "", "", "CreateFailed", "")
	f.Add("Main", "x", "cse.s1.large2", "NONE", "az1 az1", "vpc-2", "Deleting", "az1 az1 az2")
	f.Fuzz(func(t *testing.T, name, description, flavor, authType, zones, vpc, status, heldZones string) {
		w := full()
		w.name, w.description, w.flavor, w.authType = name, &description, flavor, authType
		w.availabilityZones, w.network.vpcID = strings.Fields(zones), vpc
		o := applied(w)
		o.Reference.AZList = slices.Sorted(slices.Values(w.availabilityZones))
		if changes := diff(w, o); !changes.Empty() {
			t.Fatalf("what was applied differs: %+v", changes)
		}
		other := applied(full())
		other.Status, other.Reference.AZList = status, strings.Fields(heldZones)
		changes := diff(w, other)
		if !slices.IsSorted(changes.Paths) || !slices.IsSorted(changes.Immutable) {
			t.Errorf("not sorted: %+v", changes)
		}
		if status == cse.StatusAvailable && description != other.Description && !changes.Has("spec.description") {
			t.Errorf("a description that differs is not seen: %+v", changes)
		}
	})
}
