// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"maps"
	"net/http"
	"time"
)

// Defaults of Options.
const (
	DefaultAccessKey  = "SIMULATEDACCESSKEY01"
	DefaultSecretKey  = "simulated-secret-key"
	DefaultDomainName = "sim-domain"
	DefaultUsername   = "sim-user"
	DefaultPassword   = "sim-password"
	DefaultRegion     = "ap-southeast-3"
	DefaultProjectID  = "0123456789abcdef0123456789abcdef"
	DefaultSeed       = 1

	// DefaultTaskDuration is short enough for a demonstration to be watched.
	DefaultTaskDuration = 300 * time.Millisecond

	// DefaultEngineHost is where engines listen.
	DefaultEngineHost = "127.0.0.1"

	defaultCallLogSize = 1_000_000
)

// Options configure a simulated cloud. The zero value is usable: every empty field takes the default of its name.
type Options struct {
	// AccessKey and SecretKey sign the first account's requests.
	AccessKey string
	SecretKey string
	// SecurityToken makes the first account's key a temporary one: X-Security-Token must then be sent and signed.
	SecurityToken string
	// DomainName, Username and Password log the first account in through IAM.
	DomainName string
	Username   string
	Password   string
	// Region is the name of the first account's project, as GET /v3/projects lists it.
	Region string
	// ProjectID is the first account's project; records put by the admin API without a project belong to it.
	ProjectID string
	// Seed drives ids, tokens, latencies and probabilities; 0 takes DefaultSeed.
	Seed int64
	// Clock is the simulator's time; nil takes RealClock.
	Clock Clock
	// Quirks choose between documented and observed behaviour; the zero value is all observed.
	Quirks Quirks
	// Quotas caps the number of records per project and collection ("servicestage/environments": 5); a collection that
	// is not named has no cap. It is merged into Quirks.Quotas.
	Quotas map[string]int
	// ComponentTaskDuration is how long each task of a component's job takes; a job takes one more before its first.
	// 0 takes DefaultTaskDuration.
	ComponentTaskDuration time.Duration
	// EngineTaskDuration is how long each phase of an engine's job takes; a job takes one more before its first. 0 takes
	// DefaultTaskDuration.
	EngineTaskDuration time.Duration
	// EngineHost is the address that the engines' own listeners bind to and publish, each on a port of its own; "" takes
	// DefaultEngineHost.
	EngineHost string
	// EngineFront stands before both addresses of every engine, as the network does; nil lets everything through.
	EngineFront func(engineID string, next http.Handler) http.Handler
	// CallLogSize bounds the call log in entries, the oldest going first; 0 takes one million.
	CallLogSize int
}

// WithDefaults returns o with every empty field filled in.
func (o Options) WithDefaults() Options {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&o.AccessKey, DefaultAccessKey)
	fill(&o.SecretKey, DefaultSecretKey)
	fill(&o.DomainName, DefaultDomainName)
	fill(&o.Username, DefaultUsername)
	fill(&o.Password, DefaultPassword)
	fill(&o.Region, DefaultRegion)
	fill(&o.ProjectID, DefaultProjectID)
	if o.Seed == 0 {
		o.Seed = DefaultSeed
	}
	if o.ComponentTaskDuration <= 0 {
		o.ComponentTaskDuration = DefaultTaskDuration
	}
	if o.EngineTaskDuration <= 0 {
		o.EngineTaskDuration = DefaultTaskDuration
	}
	fill(&o.EngineHost, DefaultEngineHost)
	if o.Clock == nil {
		o.Clock = RealClock{}
	}
	if o.CallLogSize <= 0 {
		o.CallLogSize = defaultCallLogSize
	}
	quotas := maps.Clone(o.Quirks.Quotas)
	if quotas == nil && len(o.Quotas) > 0 {
		quotas = map[string]int{}
	}
	maps.Copy(quotas, o.Quotas)
	o.Quirks.Quotas = quotas
	return o
}

// account is the account that the options describe.
func (o Options) account() Account {
	return Account{
		AccessKey: o.AccessKey, SecretKey: o.SecretKey, SecurityToken: o.SecurityToken,
		ProjectID: o.ProjectID, Region: o.Region,
		DomainName: o.DomainName, Username: o.Username, Password: o.Password,
	}
}
