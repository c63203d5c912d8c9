// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kieconfig

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/conditions"
	"servicestage.dev/operator/internal/controller/internal/items"
	"servicestage.dev/operator/internal/external"
)

// maxFailures is how many failures status lists.
const maxFailures = 10

// How changes behind the operator's back are noticed.
const (
	watchLongPoll = "LongPoll"
	watchInterval = "Interval"
)

func observing(obj *v1alpha1.KieConfig) bool {
	return obj.Spec.ManagementPolicy == v1alpha1.ManagementPolicyObserve
}

func report(obj *v1alpha1.KieConfig, o *observed) external.Health {
	s := &obj.Status
	s.Total, s.SyncedItems, s.Failed = conditions.Count(o.total), conditions.Count(o.synced), conditions.Count(len(o.failures))
	s.Summary = fmt.Sprintf("%d/%d", o.synced, o.total)
	s.Watch = o.watch
	s.Revision = 0
	for identity, have := range o.items {
		if o.own[identity] {
			s.Revision = max(s.Revision, have.UpdateRevision)
		}
	}
	s.Failures = nil
	for _, f := range o.failures[:min(len(o.failures), maxFailures)] {
		s.Failures = append(s.Failures, v1alpha1.KieItemFailure{
			Key: f.key, Labels: f.labels, Reason: reasonOf(clouderr.ClassOf(f.err)), Message: clouderr.UserMessage(f.err),
		})
	}
	return external.Health{State: external.Healthy, Message: fmt.Sprintf("%d of %d items are in the engine as the spec says.", o.synced, o.total)}
}

// reasonOf names a class of errors as conditions do.
func reasonOf(class clouderr.Class) string {
	switch class {
	case clouderr.Exists:
		return v1alpha1.ReasonAlreadyExists
	case clouderr.Invalid:
		return v1alpha1.ReasonRejected
	case clouderr.Quota:
		return v1alpha1.ReasonQuotaExceeded
	case clouderr.Forbidden:
		return v1alpha1.ReasonForbidden
	case clouderr.Unauthorized:
		return v1alpha1.ReasonCredentialsNotReady
	case clouderr.Throttled:
		return v1alpha1.ReasonThrottled
	default:
		return v1alpha1.ReasonCloudUnavailable
	}
}

// urgency orders classes of errors: what stops everything first, then what is tried again soon, then what someone must
// mend. While something is tried again, an object is not stalled.
var urgency = []clouderr.Class{
	clouderr.Unauthorized, clouderr.Throttled, clouderr.Transient, clouderr.Busy, clouderr.NotFound,
	clouderr.Forbidden, clouderr.Quota, clouderr.Invalid, clouderr.Exists,
}

// gravest returns the error of a pass whose failures are these: the most urgent of them, with its item's name.
func gravest(failures []failure) error {
	if len(failures) == 0 {
		return nil
	}
	first := slices.MinFunc(failures, func(a, b failure) int {
		return slices.Index(urgency, clouderr.ClassOf(a.err)) - slices.Index(urgency, clouderr.ClassOf(b.err))
	})
	others := ""
	if n := len(failures) - 1; n > 0 {
		others = fmt.Sprintf(" (and %d more, see status.failures)", n)
	}
	out := clouderr.New(clouderr.ClassOf(first.err), "item %s: %s%s", items.Name(first.key, first.labels, true),
		strings.TrimSuffix(clouderr.UserMessage(first.err), "."), others)
	out.RetryAfter, out.Err = clouderr.RetryAfter(first.err), first.err
	return out
}

// valuesValid is the condition that says which values are not what their type says; none where all are.
func valuesValid(unsound []string) []external.Condition {
	if len(unsound) == 0 {
		return nil
	}
	return []external.Condition{{
		Type: v1alpha1.ConditionValuesValid, Reason: v1alpha1.ReasonInvalidValue,
		Message: fmt.Sprintf("Values that are not of their type, and were written all the same: %s. Correct the values or spec.items.valueType.", conditions.Enumerate(unsound)),
	}}
}

// sound says whether a value is what its type says, where that is checked.
func sound(valueType, value string) bool {
	switch v1alpha1.KieValueType(valueType) {
	case v1alpha1.KieValueJSON:
		return json.Valid([]byte(value))
	case v1alpha1.KieValueYAML:
		documents := yaml.NewDecoder(bytes.NewReader([]byte(value)))
		for {
			var document yaml.Node // aliases stay what they are: nothing is expanded
			if err := documents.Decode(&document); err != nil {
				return errors.Is(err, io.EOF)
			}
		}
	default:
		return true
	}
}
