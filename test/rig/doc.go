// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rig runs the parts of the operator as what they are in production: separate processes that talk over the
// network. A control plane (etcd, kube-apiserver, kube-controller-manager), the simulated cloud and the built manager,
// each on free loopback ports. The end-to-end tests and the demo stand on it.
//
// Every Start function returns once its part answers, and with an error that ends in the part's last log lines where it
// does not. What was started ends with Stop, and also, on Linux, when the program that started it dies in any way.
package rig
