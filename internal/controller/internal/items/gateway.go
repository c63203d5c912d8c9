// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package items

import (
	"context"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/cse"
	"servicestage.dev/operator/internal/cloudclient/kie"
	"servicestage.dev/operator/internal/inventory"
)

// CannotDelete says what the gateway cannot do, and the ways out.
const CannotDelete = "access: Gateway cannot delete items"

// Gateway is the way through the cloud's gateway.
type Gateway struct {
	client              *cse.Client
	enterpriseProjectID string
	engineID            string
}

var _ Store = Gateway{}

// NewGateway returns the way to the engine with the id.
func NewGateway(client *cse.Client, enterpriseProjectID, engineID string) Gateway {
	return Gateway{client: client, enterpriseProjectID: enterpriseProjectID, engineID: engineID}
}

// List exports all items. It can neither wait nor leave out what has not changed.
func (g Gateway) List(ctx context.Context, _ int64, _ time.Duration) (inventory.Listing[Fingerprint], error) {
	exported, err := g.client.ExportKie(ctx, g.enterpriseProjectID, g.engineID, nil)
	if err != nil {
		return inventory.Listing[Fingerprint]{}, err
	}
	return inventory.Listing[Fingerprint]{Items: listed(exported), Waits: inventory.Unsupported}, nil
}

// Write imports all items at once: those that may be overwritten with force, the others so that one that is there stays.
func (g Gateway) Write(ctx context.Context, steps []Step, told func(Written)) {
	imports := map[string][]Step{}
	for _, step := range steps {
		switch {
		case step.Have != nil && step.Have.Replaced(step.Item):
			told(Written{Step: step, Err: clouderr.New(clouderr.Invalid,
				"its type, or a value that becomes empty, is changed by deleting the item, and %s; delete it in the console, or set spec.access: Engine", CannotDelete)})
		case step.Have != nil || step.Force:
			imports[cse.OverrideForce] = append(imports[cse.OverrideForce], step)
		default:
			imports[cse.OverrideSkip] = append(imports[cse.OverrideSkip], step)
		}
	}
	for _, override := range []string{cse.OverrideForce, cse.OverrideSkip} {
		if !g.load(ctx, override, imports[override], told) {
			return
		}
	}
}

// load makes one import, and says whether another one makes sense.
func (g Gateway) load(ctx context.Context, override string, steps []Step, told func(Written)) bool {
	if len(steps) == 0 {
		return true
	}
	load := cse.KieImport{Override: override}
	for _, step := range steps {
		load.Items = append(load.Items, step.cloud())
	}
	done, err := g.client.ImportKie(ctx, g.enterpriseProjectID, g.engineID, load)
	imported, refused := map[string]*kie.Item{}, map[string]cse.KieFailure{}
	if done != nil {
		for i := range done.Success {
			imported[done.Success[i].Identity()] = &done.Success[i]
		}
		for _, failure := range done.Failure {
			refused[kie.Identity(failure.Key, failure.Labels)] = failure
		}
	}
	for _, step := range steps {
		identity := kie.Identity(step.Key, step.Labels)
		item, failure := imported[identity], refused[identity]
		switch {
		case item != nil:
			told(Written{Step: step, Is: Of(item)})
		case failure.Key != "":
			told(Written{Step: step, Err: refusal(failure)})
		case err != nil:
			told(Written{Step: step, Err: err})
		default:
			told(Written{Step: step, Err: clouderr.New(clouderr.Exists, "it was left out of the import: there is one already")})
		}
	}
	return !hopeless(err)
}

// refusal classifies why an item was not imported, by the codes of the configuration center.
func refusal(failure cse.KieFailure) error {
	class := clouderr.Invalid
	switch failure.Code {
	case "400100", "422001":
		class = clouderr.Quota
	case "409001", "400004": // it exists; it was skipped
		class = clouderr.Exists
	}
	return clouderr.New(class, "%s", failure.Message)
}

// Remove is refused.
func (g Gateway) Remove(context.Context, []string) error {
	return clouderr.New(clouderr.Invalid, "%s", CannotDelete)
}

// Removes is false.
func (g Gateway) Removes() bool { return false }

// Close has nothing to do: the account's client belongs to all.
func (g Gateway) Close() error { return nil }
