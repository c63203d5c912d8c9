// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kie is one simulated microservice engine: the service center as far as its accounts, tokens and roles go
// (API reference 8.2), and the configuration center Kie (8.7). It answers as the open-source servers did in the
// transcripts under testdata, which a test replays, and knows nothing of the cloud around it.
//
//	engine := kie.New(kie.Options{RBAC: true, RootPassword: "Passw0rd!x"})
//	server := httptest.NewServer(engine.Handler())
//
// Handler serves both components on one address, ServiceCenterHandler and KieHandler each on its own.
//
//	engine.go         Engine and its options, quirks, the way of a request
//	routes.go         operations by method and path, plain replies
//	items.go          configuration items: revisions, history, watchers
//	validate.go       what the fields of an item may hold
//	config.go         the operations of Kie
//	import.go         importing many items at once
//	access.go         accounts, roles, tokens, lockouts
//	servicecenter.go  the operations of the service center
//	registry.go       microservices, as far as roles need them
//	clock.go          Clock
package kie
