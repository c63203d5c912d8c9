// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package cloudsim_test

// many is a cloud as large as one gets.
const many = 100_000
