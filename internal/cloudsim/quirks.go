// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudsim/kie"
)

// Quirks are the switches between what the API reference documents and what clients met. The zero value of every
// field is the observed behaviour, or the documented one where nothing else was observed.
type Quirks struct {
	// MissingResource is the answer to an id that does not exist: "" is 401 SVCSTG.00100401 (observed),
	// "notFound" is 404 with SVCSTG.00100411, 00100403 or 00100404 (documented).
	MissingResource string `json:"missingResource"`
	// KeepResourceNames returns the names of environment resources; observed: they come back "".
	KeepResourceNames bool `json:"keepResourceNames"`
	// KeepResourceOrder returns environment resources in the order of the PUT; observed: the order is not kept.
	KeepResourceOrder bool `json:"keepResourceOrder"`
	// AddResources makes the resources PUT add to the list (the reference's "resource to be added"); observed: it
	// replaces the whole list.
	AddResources bool `json:"addResources"`
	// DetailListsVPC shows the environment's VPC among the resources of the detail.
	DetailListsVPC bool `json:"detailListsVPC"`
	// DetailLabels puts labels into the detail GET of environments and applications (documented); observed: the key
	// may be absent there and only the list carries it.
	DetailLabels bool `json:"detailLabels"`
	// HideListLabels leaves labels out of lists; observed: lists carry them.
	HideListLabels bool `json:"hideListLabels"`
	// EmptyCollections is how empty labels, resources and configurations look: "" is null, "array" is [].
	EmptyCollections string `json:"emptyCollections"`
	// CaseSensitiveNames lets names that differ only in case coexist; the reference says they do not.
	CaseSensitiveNames bool `json:"caseSensitiveNames"`
	// EnvironmentNames is the name rule of environments: "" is the reference's, "lowercase" is ^[a-z0-9-]+$ (OpenAPI).
	EnvironmentNames string `json:"environmentNames"`
	// ApplicationNames is the name rule of applications: "" is the reference's, "loose" is ^[a-zA-Z0-9_-]+$ (OpenAPI).
	ApplicationNames string `json:"applicationNames"`
	// FuzzyNameFilter makes the name filter of the environment list match substrings; otherwise the whole name.
	FuzzyNameFilter bool `json:"fuzzyNameFilter"`
	// PutMovesEnterpriseProject makes an application PUT change enterprise_project_id (documented); observed: it is
	// ignored there.
	PutMovesEnterpriseProject bool `json:"putMovesEnterpriseProject"`
	// LabelRule is the check on labels: "" allows keys of 128 and values of 255 characters (newer tag sites), "strict"
	// 36 and 43 (the older tag rule), "none" checks only that key and value are there. The first two also allow at
	// most 10 labels, with unique keys.
	LabelRule string `json:"labelRule"`
	// UnpagedLimit is how many records a list without limit returns; 0 is 1000 (observed).
	UnpagedLimit int `json:"unpagedLimit"`
	// Quotas caps the number of records per project, keyed "service/collection".
	Quotas map[string]int `json:"quotas"`
	// QuotaError is the answer when a quota is used up, which no reference states: "" is 405 SVCSTG.00100421,
	// "forbidden" is 403 SVCSTG.00100421, "badRequest" is 400 SVCSTG.00100400.
	QuotaError string `json:"quotaError"`
	// GatewayPrefix starts the gateway's codes: "" is APIGW, "APIG" the other spelling that is met.
	GatewayPrefix string `json:"gatewayPrefix"`
	// ErrorShape is the body of service errors: "" is {error_code, error_msg}, "error_message" is {error_code,
	// error_message}, "camelCase" is {errorCode, errorMessage, detail}, "text" is text/plain, "empty" has no body.
	ErrorShape string `json:"errorShape"`
	// RetryAfter adds a Retry-After header to 429; not documented.
	RetryAfter bool `json:"retryAfter"`
	// DetailAccesses puts external_accesses into the detail GET of components; observed: only lists carry them.
	DetailAccesses bool `json:"detailAccesses"`
	// NoServerValues leaves out what the cloud adds to components by itself: variables that are inner or start with
	// PAAS_, AOM_ or CAS_, TZ, an access that is not HTTP, update_strategy.
	NoServerValues bool `json:"noServerValues"`
	// StackVersionMandatory demands runtime_stack.version (documented); observed: the cloud fills it in.
	StackVersionMandatory bool `json:"stackVersionMandatory"`
	// OldStacks lets new components use stacks that are Deprecated or Disable; refusing them is inferred.
	OldStacks bool `json:"oldStacks"`
	// PutKeepsAbsent makes a component PUT keep every field that it does not name; otherwise what is not named goes,
	// but for labels, external_accesses and refer_resources. No reference states either.
	PutKeepsAbsent bool `json:"putKeepsAbsent"`
	// VersionReuse is the check of a component PUT's version (404 SVCSTG.00100441): "" refuses the versions of older
	// releases and lets the present one be repeated, "never" refuses that as well, "any" refuses none.
	VersionReuse string `json:"versionReuse"`
	// BusyCode is the 409 for a component PUT while a job runs: "" is SVCSTG.00100419, "release" SVCSTG.00100432.
	BusyCode string `json:"busyCode"`
	// EmptyComponentDelete answers a component DELETE without a body (documented); observed: {component_id}.
	EmptyComponentDelete bool `json:"emptyComponentDelete"`
	// KeepStatusWhileDeleting leaves component_status as it was while a component is being deleted; otherwise DELETING.
	KeepStatusWhileDeleting bool `json:"keepStatusWhileDeleting"`
	// ComponentApplicationFilter makes the project-wide component list filter by application_name (documented);
	// observed: it does not.
	ComponentApplicationFilter bool `json:"componentApplicationFilter"`
	// NoJobsV3 takes the V3 path of jobs away (404 of the gateway): only the V2 path, the documented one, is left.
	NoJobsV3 bool `json:"noJobsV3"`
	// UpperCaseJobs writes the keys of jobs on the V3 path in upper case, as its page does; observed: lower case.
	UpperCaseJobs bool `json:"upperCaseJobs"`
	// RecordTimes is the form of times in component records: "" is RFC 3339, "millis" epoch milliseconds in a string,
	// "number" a number of them. The reference says string.
	RecordTimes string `json:"recordTimes"`
	// TaskMilliseconds is how long each task of a component's job takes from now on; 0 is Options.ComponentTaskDuration.
	TaskMilliseconds int `json:"taskMilliseconds"`
	// MissingEngine is the answer to an engine that does not exist: "" is 400 SVCSTG.00501116, "unauthorized" 401
	// SVCSTG.00501125; both were observed.
	MissingEngine string `json:"missingEngine"`
	// EngineErrorShape is the body of errors of engine management: "" is {errorCode, errorMessage, detail} (documented),
	// "error_msg" {error_code, error_msg, detail}, "error_message" {error_code, error_message}.
	EngineErrorShape string `json:"engineErrorShape"`
	// EngineBadParameter is the status of SVCSTG.00500400, the code for input that no other code speaks of: "" is 500
	// (documented), "badRequest" 400.
	EngineBadParameter string `json:"engineBadParameter"`
	// AnyEnterpriseProject lets calls about an engine name another enterprise project than its creation did; observed:
	// the engine is then missing.
	AnyEnterpriseProject bool `json:"anyEnterpriseProject"`
	// ExactEngineOffset makes the offset of the engine list count from zero; observed: 0 and 1 are the same page.
	ExactEngineOffset bool `json:"exactEngineOffset"`
	// NumericEngineLimits writes serviceLimit and instanceLimit as numbers (documented); observed: strings.
	NumericEngineLimits bool `json:"numericEngineLimits"`
	// KeepAZOrder returns azList in the order of the creation; observed: the order is not kept.
	KeepAZOrder bool `json:"keepAZOrder"`
	// NoServerInputs leaves out the keys that the cloud adds to an engine's inputs.
	NoServerInputs bool `json:"noServerInputs"`
	// ConfigCenter names the endpoint of Kie configCenter instead of kie; both were observed.
	ConfigCenter bool `json:"configCenter"`
	// CamelResizeJob answers the resize of an engine with jobId; the vendor's SDK has job_id.
	CamelResizeJob bool `json:"camelResizeJob"`
	// AnyVPC takes networks that the VPC look-ups do not know.
	AnyVPC bool `json:"anyVPC"`
	// PlainEngines publishes http addresses for engines that appear from now on; otherwise https with a certificate that
	// nobody trusts.
	PlainEngines bool `json:"plainEngines"`
	// NumericImportCodes writes error_code of items that an import refuses as a number; the reference says string.
	NumericImportCodes bool `json:"numericImportCodes"`
	// NoKieWait makes an engine's Kie ignore wait, as one without long polls does.
	NoKieWait bool `json:"noKieWait"`
	// KieTimes is the form of times of items: "" is seconds, "string" seconds in a string (documented), "millis"
	// milliseconds.
	KieTimes string `json:"kieTimes"`
	// KieWrapped puts the item that Kie answers to a write into {"kie": ...} (documented in a table).
	KieWrapped bool `json:"kieWrapped"`
	// KieSnakeErrors writes Kie's errors as {error_code, error_message, detail} (documented).
	KieSnakeErrors bool `json:"kieSnakeErrors"`
	// KieDeleteOK answers the deletion of an item with 200 (documented in a table); observed: 204.
	KieDeleteOK bool `json:"kieDeleteOK"`
	// EngineTokenLifetimeSeconds is the life of tokens that engines issue from now on; 0 is 12 hours (documented).
	EngineTokenLifetimeSeconds int `json:"engineTokenLifetimeSeconds"`
	// TokenLifetimeSeconds is the life of IAM tokens issued from now on; 0 is 24 hours (documented).
	TokenLifetimeSeconds int `json:"tokenLifetimeSeconds"`
}

// validate names the first field whose value is not one of its own.
func (q Quirks) validate() error {
	for _, f := range []struct {
		name, value string
		allowed     []string
	}{
		{"missingResource", q.MissingResource, []string{"", "notFound"}},
		{"emptyCollections", q.EmptyCollections, []string{"", "array"}},
		{"environmentNames", q.EnvironmentNames, []string{"", "lowercase"}},
		{"applicationNames", q.ApplicationNames, []string{"", "loose"}},
		{"labelRule", q.LabelRule, []string{"", "strict", "none"}},
		{"quotaError", q.QuotaError, []string{"", "forbidden", "badRequest"}},
		{"gatewayPrefix", q.GatewayPrefix, []string{"", "APIG"}},
		{"versionReuse", q.VersionReuse, []string{"", "any", "never"}},
		{"busyCode", q.BusyCode, []string{"", "release"}},
		{"recordTimes", q.RecordTimes, []string{"", "millis", "number"}},
		{"missingEngine", q.MissingEngine, []string{"", "unauthorized"}},
		{"engineErrorShape", q.EngineErrorShape, []string{"", "error_msg", "error_message"}},
		{"engineBadParameter", q.EngineBadParameter, []string{"", "badRequest"}},
		{"kieTimes", q.KieTimes, []string{"", "string", "millis"}},
		{"errorShape", q.ErrorShape, []string{"", "error_message", "camelCase", "text", "empty"}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return fmt.Errorf("%s: unknown value %q, use one of %q", f.name, f.value, f.allowed)
		}
	}
	if q.UnpagedLimit < 0 {
		return fmt.Errorf("unpagedLimit: %d is negative, use 0 for the default", q.UnpagedLimit)
	}
	if q.TaskMilliseconds < 0 {
		return fmt.Errorf("taskMilliseconds: %d is negative, use 0 for the default", q.TaskMilliseconds)
	}
	if q.TokenLifetimeSeconds < 0 {
		return fmt.Errorf("tokenLifetimeSeconds: %d is negative, use 0 for the default", q.TokenLifetimeSeconds)
	}
	if q.EngineTokenLifetimeSeconds < 0 {
		return fmt.Errorf("engineTokenLifetimeSeconds: %d is negative, use 0 for the default", q.EngineTokenLifetimeSeconds)
	}
	for name, n := range q.Quotas {
		if n < 0 {
			return fmt.Errorf("quotas.%s: %d is negative, leave the collection out for no quota", name, n)
		}
	}
	return nil
}

// engine is what the inside of an engine sees of the switches; the quota of items is per engine.
func (q Quirks) engine() kie.Quirks {
	return kie.Quirks{
		NoWait: q.NoKieWait, Times: q.KieTimes, Wrap: q.KieWrapped, SnakeErrors: q.KieSnakeErrors, DeleteOK: q.KieDeleteOK,
		TokenLifetime: time.Duration(q.EngineTokenLifetimeSeconds) * time.Second, ItemQuota: q.Quotas[itemsPath],
	}
}

// merge returns q with the fields that the JSON document names replaced; quotas are merged by collection, null
// removing one.
func (q Quirks) merge(document []byte) (Quirks, error) {
	var quotas struct {
		Quotas map[string]*int `json:"quotas"`
	}
	merged := q
	merged.Quotas = nil
	if err := decodeStrict(document, &merged); err != nil {
		return Quirks{}, err
	}
	if err := json.Unmarshal(document, &quotas); err != nil {
		return Quirks{}, err
	}
	merged.Quotas = maps.Clone(q.Quotas)
	for name, n := range quotas.Quotas {
		if n == nil {
			delete(merged.Quotas, name)
			continue
		}
		if merged.Quotas == nil {
			merged.Quotas = map[string]int{}
		}
		merged.Quotas[name] = *n
	}
	return merged, merged.validate()
}

// decodeStrict decodes exactly one JSON document and refuses fields that dst does not have, so that a misspelt
// switch is an error and not a test that proves nothing.
func decodeStrict(document []byte, dst any) error {
	decoder := json.NewDecoder(strings.NewReader(string(document)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(dst); err != nil {
		return err
	}
	if decoder.More() {
		return fmt.Errorf("more than one JSON document")
	}
	return nil
}
