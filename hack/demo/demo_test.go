// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/rig"
)

func TestPlayRunsEveryStepUntilItIsSeen(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	var order []string
	looks := 0
	steps := []step{
		{name: "first", act: func(context.Context, *world) error { order = append(order, "act"); return nil },
			observe: func(context.Context, *world) error {
				if looks++; looks < 3 {
					return errors.New("not there yet")
				}
				order = append(order, "seen")
				return nil
			},
			show: func(context.Context, *world) error { order = append(order, "show"); return nil }},
		{name: "second", act: func(context.Context, *world) error { order = append(order, "second"); return nil }},
	}

	g.Expect(play(t.Context(), &world{screen: &screen{out: &out}}, steps)).To(Succeed())
	g.Expect(order).To(Equal([]string{"act", "seen", "show", "second"}))
	g.Expect(looks).To(Equal(3))
	g.Expect(out.String()).To(And(ContainSubstring("[1/2] first"), ContainSubstring("all 2 steps seen")))
	g.Expect(out.String()).NotTo(ContainSubstring("\x1b"), "no escape codes without a terminal")
}

func TestPlayStopsAtAStepThatIsNotSeen(t *testing.T) {
	g := NewWithT(t)
	var out bytes.Buffer
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, errors.New("not done in time"))
	defer cancel()
	later := false
	steps := []step{
		{name: "never", observe: func(context.Context, *world) error { return errors.New("the cloud still says \"old\"") }},
		{name: "later", act: func(context.Context, *world) error { later = true; return nil }},
	}

	err := play(ctx, &world{screen: &screen{out: &out}}, steps)
	g.Expect(err).To(MatchError(And(
		ContainSubstring("step 1 (never)"), ContainSubstring("not done in time"), ContainSubstring(`the cloud still says "old"`))))
	g.Expect(later).To(BeFalse())
	g.Expect(out.String()).To(And(ContainSubstring("FAILED"), Not(ContainSubstring("steps seen"))))
}

func TestReadyWantsTheCurrentGeneration(t *testing.T) {
	g := NewWithT(t)
	environment := &v1alpha1.Environment{ObjectMeta: metav1.ObjectMeta{Name: "dev", Generation: 2}}
	g.Expect(ready(environment, nil)).To(MatchError("Environment dev has no Ready condition yet"))

	conditions := []metav1.Condition{{Type: "Ready", Status: "True", Reason: "Available", ObservedGeneration: 1}}
	g.Expect(ready(environment, conditions)).NotTo(Succeed())
	conditions[0].ObservedGeneration = 2
	g.Expect(ready(environment, conditions)).To(Succeed())
	conditions[0].Status = metav1.ConditionFalse
	g.Expect(ready(environment, conditions)).NotTo(Succeed())
}

func TestSetVersionChangesTheImageToo(t *testing.T) {
	g := NewWithT(t)
	spec := &v1alpha1.ComponentSpec{Version: "1.0.0", Source: v1alpha1.ComponentSource{Image: &v1alpha1.ImageSource{URL: "swr.example.com:443/shop/web:1.0.0"}}}
	setVersion("1.1.0")(spec)
	g.Expect(spec.Version).To(Equal("1.1.0"))
	g.Expect(spec.Source.Image.URL).To(Equal("swr.example.com:443/shop/web:1.1.0"))
}

func TestInCloudsWordsWantsStatusVersionAndImage(t *testing.T) {
	g := NewWithT(t)
	record := rig.Record{
		"version": "1.0.0", "source": map[string]any{"url": "swr.example.com/shop/web:1.0.0"}, "status": map[string]any{"component_status": "GRAYING"},
	}
	g.Expect(inCloudsWords(record, "GRAYING", "1.0.0")).To(Succeed())
	g.Expect(inCloudsWords(record, "RUNNING", "1.0.0")).To(MatchError("the cloud says GRAYING"))
	g.Expect(inCloudsWords(record, "GRAYING", "1.1.0")).To(MatchError("the cloud runs swr.example.com/shop/web:1.0.0"))
	record["version"] = "1.1.0"
	g.Expect(inCloudsWords(record, "GRAYING", "1.0.0")).NotTo(Succeed())
}

func TestBlockedByWantsTheUsersName(t *testing.T) {
	g := NewWithT(t)
	application := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	g.Expect(blockedBy(application, "Component web")).To(MatchError("shop is not held back yet: no Ready condition yet"))

	blocked := metav1.Condition{Type: "Ready", Status: "False", Reason: "DeletionBlocked", Message: "The application is still used by Component web."}
	application.Status.Conditions = []metav1.Condition{blocked}
	g.Expect(blockedBy(application, "Component web")).To(Succeed())
	g.Expect(blockedBy(application, "Component other")).To(MatchError(ContainSubstring("does not name what blocks")))
}
