// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build race

package cloudsim_test

// many is smaller under the race detector, which makes everything some ten times slower and needs no large numbers.
const many = 10_000
