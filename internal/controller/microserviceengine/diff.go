// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package microserviceengine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/external"
)

// Fields of the spec.
const (
	pathDescription = "spec.description"
	pathFlavor      = "spec.flavor"
	pathRetry       = "spec.retryFailedCreate"
	pathPassword    = "spec.rootPasswordSecretRef"
	pathVPC         = "spec.network.vpcID"
	pathSubnet      = "spec.network.subnetID"
)

// wanted is what the spec comes to. What is empty is not managed.
type wanted struct {
	name              string
	description       *string
	flavor            string
	availabilityZones []string
	authType          string
	network           network
	publicIPID        string
	inputs            map[string]string
	// enterpriseProjectID to create the engine in; fixedProject where the spec names one.
	enterpriseProjectID, fixedProject string
	// retries of a failed creation that are allowed, and how many were made.
	retries, retried int32
}

// network is where an engine lives.
type network struct{ vpcID, vpcName, subnetID, subnetCIDR string }

// observed is an engine as the cloud holds it.
type observed struct {
	cse.Engine
	// partial is set where no more is known than that it is being created.
	partial bool
	// usageKnown is false where the call that was made leaves UsedInstances out.
	usageKnown bool
	// job is what the last poll saw of the engine's job, the only thing that is known where the engine has no id.
	job *cse.Job
	// retries is how often the creation was retried, where this pass retried it.
	retries int32
}

// wantedOf reads the spec, and from the status how often the creation was retried.
func wantedOf(obj *v1alpha1.MicroserviceEngine, defaultEnterpriseProjectID string) wanted {
	spec := &obj.Spec
	w := wanted{
		name: obj.CloudName(), description: spec.Description, flavor: spec.Flavor, availabilityZones: spec.AvailabilityZones,
		authType: string(spec.AuthType), publicIPID: spec.PublicIPID, inputs: spec.Inputs,
		enterpriseProjectID: cmp.Or(spec.EnterpriseProjectID, defaultEnterpriseProjectID, cse.DefaultEnterpriseProject),
		fixedProject:        spec.EnterpriseProjectID,
		retries:             spec.RetryFailedCreate, retried: obj.Status.CreateRetries,
	}
	if n := spec.Network; n != nil {
		w.network = network{vpcID: n.VPCID, vpcName: n.VPCName, subnetID: n.SubnetID, subnetCIDR: n.SubnetCIDR}
	}
	return w
}

// createOf is what an engine is created with.
func createOf(w wanted, n network, password string) cse.EngineCreate {
	create := cse.EngineCreate{
		Name: w.name, Flavor: w.flavor, AZList: w.availabilityZones, AuthType: cmp.Or(w.authType, cse.AuthRBAC),
		VPC: n.vpcName, VPCID: n.vpcID, NetworkID: n.subnetID, SubnetCIDR: n.subnetCIDR,
		PublicIPID: w.publicIPID, Inputs: w.inputs, RootPassword: password,
	}
	if w.description != nil {
		create.Description = *w.description
	}
	return create
}

// diff compares what is wanted with what was observed. While the cloud is at work on the engine nothing differs: what is
// there says nothing about what will be. Of an engine whose creation failed, nothing can be changed but that.
func diff(w wanted, o *observed) external.Changes {
	var c external.Changes
	if working(o.Status) {
		return c
	}
	c.Immutable = diffImmutable(w, o)
	if o.Status == cse.StatusCreateFailed {
		if retryable(w, o) {
			c.Paths = []string{pathRetry}
		}
		return c
	}
	if w.description != nil && *w.description != o.Description {
		c.Paths = append(c.Paths, pathDescription)
	}
	if w.flavor != "" && o.Flavor != "" && w.flavor != o.Flavor {
		c.Paths = append(c.Paths, pathFlavor)
	}
	return c
}

// diffImmutable lists what differs and cannot be changed. What every engine has and a reply leaves out is not compared.
func diffImmutable(w wanted, o *observed) []string {
	var paths []string
	fixed := func(want, have, path string) {
		if want != "" && have != "" && want != have {
			paths = append(paths, path)
		}
	}
	fixed(w.authType, o.AuthType, "spec.authType")
	if w.availabilityZones != nil && len(o.Reference.AZList) > 0 && !sameSet(w.availabilityZones, o.Reference.AZList) {
		paths = append(paths, "spec.availabilityZones")
	}
	fixed(w.fixedProject, cmp.Or(o.EnterpriseProjectID, cse.DefaultEnterpriseProject), "spec.enterpriseProjectID")
	for key, want := range w.inputs {
		if have, found := o.Reference.Inputs[key]; !found || have != want {
			paths = append(paths, fmt.Sprintf("spec.inputs[%s]", key))
		}
	}
	fixed(w.name, o.Name, "spec.name")
	fixed(w.network.vpcID, o.Reference.VPCID, pathVPC)
	fixed(w.network.subnetID, o.Reference.NetworkID, pathSubnet)
	if w.publicIPID != "" && w.publicIPID != o.Reference.PublicIPID {
		paths = append(paths, "spec.publicIPID")
	}
	slices.Sort(paths)
	return paths
}

// sameSet compares lists whose order does not matter.
func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(slices.Compact(a), slices.Compact(b))
}

// retryable says whether the creation failed and may be retried.
func retryable(w wanted, o *observed) bool {
	return o.Status == cse.StatusCreateFailed && w.retried < w.retries
}

// working says whether the cloud is at work on an engine. A state that is not known is one of that sort.
func working(status string) bool {
	switch status {
	case cse.StatusAvailable, cse.StatusUnavailable, cse.StatusFreezed, cse.StatusDeleted,
		cse.StatusCreateFailed, cse.StatusDeleteFailed, cse.StatusUpgradeFailed, cse.StatusModifyFailed:
		return false
	}
	return true
}

// resizable refuses to resize an engine that the cloud would not resize in its state.
func resizable(o *observed) error {
	if o.Status == cse.StatusAvailable {
		return nil
	}
	return clouderr.New(clouderr.Invalid, "%s: the engine is %s, and only an Available one can be resized: %s", pathFlavor, o.Status, judgeState(o.Status).Message)
}

// undeletable says when an engine in a state can be deleted.
func undeletable(status string) string {
	if status == cse.StatusFreezed {
		return "unfreeze it in the console first"
	}
	return "it can be deleted once the cloud is done with it"
}

// checkPassword refuses what the cloud would refuse (API reference 7.3.3), without a word of the password itself. That it
// has no control characters rules out the line break at the end of a file that an editor wrote.
func checkPassword(password string, ref v1alpha1.SecretKeyReference) error {
	has := func(class func(rune) bool) bool { return strings.ContainsFunc(password, class) }
	special := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	first, _ := utf8.DecodeRuneInString(password)
	length := utf8.RuneCountInString(password)
	var wrong string
	switch {
	case has(unicode.IsControl):
		wrong = "must not hold a line break or another control character (printf writes a file without one)"
	case length < 8 || length > 32:
		wrong = "must have 8 to 32 characters"
	case !unicode.IsLetter(first):
		wrong = "must start with a letter"
	case !has(unicode.IsDigit) || !has(unicode.IsUpper) || !has(unicode.IsLower) || !has(special):
		wrong = "must hold a digit, an upper-case letter, a lower-case letter and a special character"
	default:
		return nil
	}
	return clouderr.New(clouderr.Invalid, "%s: the password in the Secret %q, key %q, %s", pathPassword, ref.Name, ref.Key, wrong)
}
