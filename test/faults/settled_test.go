// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

// isGone is the settled state of a deleted object: neither it nor anything of it in the cloud.
const isGone = "gone"

// unsettled says what an object still lacks until it is settled.
func unsettled(o object) error {
	status := o.CommonStatus()
	for _, wanted := range []string{v1alpha1.ConditionReady, v1alpha1.ConditionSynced} {
		c := meta.FindStatusCondition(status.Conditions, wanted)
		switch {
		case c == nil:
			return fmt.Errorf("%s has no condition %s", o.GetName(), wanted)
		case c.Status != metav1.ConditionTrue:
			return fmt.Errorf("%s is not %s: %s: %s", o.GetName(), wanted, c.Reason, c.Message)
		case c.ObservedGeneration != o.GetGeneration():
			return fmt.Errorf("%s is %s in generation %d, not %d", o.GetName(), wanted, c.ObservedGeneration, o.GetGeneration())
		}
	}
	if status.Operation != nil {
		return fmt.Errorf("%s has an operation running: %+v", o.GetName(), *status.Operation)
	}
	return nil
}

// state describes a settled object and everything that the cloud holds of it. Ids, times, claims and the object's name
// are left out, so that the states of two objects with the same history are the same text. Until the object is settled
// it is an error.
func (w *world) state(ctx context.Context, o object) (string, error) {
	missing, err := gone(ctx, o)
	if err != nil {
		return "", err
	}
	if !missing {
		if err := unsettled(o); err != nil {
			return "", err
		}
	}
	records, err := w.belongings(ctx, o)
	if err != nil {
		return "", err
	}
	if missing && len(records) > 0 {
		return "", fmt.Errorf("%s is gone, and left in the cloud %v", o.GetName(), records)
	}
	if missing {
		return isGone, nil
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": o.GetAnnotations(), "finalizers": o.GetFinalizers()},
		"spec":     content["spec"], "status": content["status"], "cloud": records,
	})
	if err != nil {
		return "", err
	}
	var parts any
	if err := json.Unmarshal([]byte(normal(string(text), o)), &parts); err != nil {
		return "", err
	}
	text, err = json.MarshalIndent(plain(parts), "", "  ")
	return string(text), err
}

// normal leaves out of a state what differs between two objects with the same history.
func normal(state string, o object) string {
	replace := []string{o.GetName(), "NAME", string(o.GetUID()), "UID"}
	if id := o.CommonStatus().ID; id != "" {
		replace = append(replace, id, "ID")
	}
	if token, _, found := strings.Cut(o.GetAnnotations()[v1alpha1.ClaimAnnotation], "@"); found {
		replace = append(replace, token, "CLAIM")
	}
	return timeOrID.ReplaceAllString(strings.NewReplacer(replace...).Replace(state), "$$")
}

// timeOrID matches times, and the ids of jobs and records.
var timeOrID = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)|JOB[0-9a-zA-Z-]+|kie-engine:[0-9a-z-]+`)

// belongings returns the records of the kind's collections that mention the object's name, or the id of one that does.
func (w *world) belongings(ctx context.Context, o object) ([]rig.Record, error) {
	known := []string{o.GetName()}
	if id := o.CommonStatus().ID; id != "" {
		known = append(known, id)
	}
	var found []rig.Record
	for _, collection := range w.kind.collections {
		records, err := w.sim.List(ctx, collection)
		if err != nil {
			return nil, err
		}
		for _, record := range records {
			if mentions(record, known) {
				found = append(found, record)
				known = append(known, record.Text("id"))
			}
		}
	}
	return found, nil
}

// mentions says whether one of a record's own texts is one of those given, or holds it before a colon or a dot.
func mentions(record rig.Record, texts []string) bool {
	for _, value := range record {
		text, _ := value.(string)
		text, _, _ = strings.Cut(text, ":")
		text, _, _ = strings.Cut(text, ".")
		if text != "" && slices.Contains(texts, text) {
			return true
		}
	}
	return false
}

// unstable fields differ from run to run.
var unstable = []string{
	"create_time", "update_time", "last_job_id", "latest_job_id", "create_revision", "update_revision", "begin_time", "end_time",
	"lastTransitionTime", "lastSyncTime", "observedInputs", "observedFingerprint", "beginTime", "endTime", "port", "serviceCenter", "kie",
	"item_id", "revision", "watch", "written", "job", "lastJobID",
}

// plain removes what is unstable, and sorts lists of objects, whose order means nothing here.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range v {
			if !slices.Contains(unstable, key) {
				kept[key] = plain(inner)
			}
		}
		return kept
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		slices.SortFunc(list, func(a, b any) int { return cmp.Compare(encoded(a), encoded(b)) })
		return list
	default:
		return v
	}
}

func encoded(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
