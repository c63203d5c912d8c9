// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package integrations holds what the operator offers to other people's tools against those tools themselves: statuses
// against kstatus, Argo CD's scripts against a Lua interpreter, Flux's manifests against its types, alerts and dashboards
// against Prometheus. It is a module of its own, so that none of them enters the operator's dependencies.
package integrations
