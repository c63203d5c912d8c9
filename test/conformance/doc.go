// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conformance holds the operator's two readings of the cloud's API, the client and the simulator, against the
// vendor's SDK, and against each other. It is a module of its own so that the SDK (250 MB) stays out of the operator's.
package conformance
