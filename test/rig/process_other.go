//go:build !linux

// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import "syscall"

// childAttributes puts the child in a process group of its own, so that Ctrl-C in a terminal reaches only the parent,
// which stops its children in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
