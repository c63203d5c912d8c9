// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"context"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// ConfirmMissing turns an answer that only suggests that a resource is gone into what it means. listed says whether a
// complete list holds the resource, and what names the kind of resource in messages.
//
// The class is NotFound where the list succeeds without it, and Transient where it holds it. Where the list fails, the
// class is Throttled, Unauthorized or Forbidden as the list's, and Transient otherwise.
func ConfirmMissing(ctx context.Context, what string, suspicion *clouderr.Error, listed func(context.Context) (bool, error)) error {
	found, err := listed(ctx)
	confirmed := *suspicion
	switch {
	case err != nil:
		confirmed.Class = clouderr.Transient
		switch class := clouderr.ClassOf(err); class {
		case clouderr.Throttled, clouderr.Unauthorized, clouderr.Forbidden:
			confirmed.Class = class
		}
		confirmed.RetryAfter = clouderr.RetryAfter(err)
		confirmed.Message = "the cloud's answer suggests that the " + what + " is gone, and the list that would confirm it failed: " + clouderr.UserMessage(err)
		confirmed.Err = err
	case found:
		confirmed.Class = clouderr.Transient
		confirmed.Message = "the cloud answered as if the " + what + " were gone, but lists it"
	default:
		confirmed.Class = clouderr.NotFound
		confirmed.Message = "the " + what + " does not exist"
	}
	return &confirmed
}
