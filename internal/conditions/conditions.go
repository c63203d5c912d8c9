// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conditions sets conditions, and checks that they are what kubectl wait, Helm, Flux and Argo CD expect.
package conditions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// MaxMessage is the length that messages are cut at, in bytes.
const MaxMessage = 1024

// Set puts a condition into the list, which it keeps sorted by type. The time of transition moves only with the status.
func Set(list *[]metav1.Condition, condition metav1.Condition) {
	condition.Message = Bounded(condition.Message)
	meta.SetStatusCondition(list, condition)
	slices.SortFunc(*list, func(a, b metav1.Condition) int { return cmp.Compare(a.Type, b.Type) })
}

// SetOrRemove sets the condition to True with the reason and message, or removes it where the reason is "".
func SetOrRemove(list *[]metav1.Condition, conditionType, reason, message string, generation int64) {
	if reason == "" {
		meta.RemoveStatusCondition(list, conditionType)
		return
	}
	Set(list, metav1.Condition{
		Type: conditionType, Status: metav1.ConditionTrue, Reason: reason, Message: message, ObservedGeneration: generation,
	})
}

// IsTrue says whether a condition is True.
func IsTrue(list []metav1.Condition, conditionType string) bool {
	return meta.IsStatusConditionTrue(list, conditionType)
}

// Bounded cuts a message to MaxMessage bytes of valid UTF-8.
func Bounded(message string) string {
	message = strings.ToValidUTF8(message, "?")
	if len(message) <= MaxMessage {
		return message
	}
	const ellipsis = "…"
	cut := MaxMessage - len(ellipsis)
	for cut > 0 && !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + ellipsis
}

// Enumerate lists names or paths for a message, the first eight in full.
func Enumerate(names []string) string {
	const most = 8
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Count is n as a status holds it: at least 0, and at most what 32 bits hold.
func Count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }
