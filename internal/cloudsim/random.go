// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// random is the simulator's only source of chance, so that one seed replays one run.
type random struct {
	mu  sync.Mutex
	rng *rand.Rand
}

func newRandom(seed int64) *random {
	return &random{rng: rand.New(rand.NewPCG(uint64(seed), 0x5eed))} //nolint:gosec // reproducible on purpose: nothing here protects anything
}

func (r *random) bytes(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.rng.Uint32())
	}
	return b
}

func (r *random) hex(n int) string { return hex.EncodeToString(r.bytes(n)) }

// uuid returns a version 4 UUID, the form of every resource id.
func (r *random) uuid() string {
	b := r.bytes(16)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func (r *random) float() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rng.Float64()
}

// between returns a duration in [low, high].
func (r *random) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(r.float()*float64(high-low+1))
}
