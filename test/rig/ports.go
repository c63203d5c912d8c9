// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that systems hand out to outgoing connections, so that none of those can take one
// between the choice and the use.
const firstPort, lastPort = 20000, 29999

// maxPortTries bounds the search.
const maxPortTries = 1000

// freePorts returns n different ports of the loopback interface that nothing listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var held []net.Listener // until all are found, so that they differ
	defer func() {
		for _, l := range held {
			l.Close()
		}
	}()
	ports := make([]int, 0, n)
	var lc net.ListenConfig
	for range maxPortTries {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := lc.Listen(ctx, "tcp", loopback(port))
		if err != nil {
			continue // taken
		}
		held = append(held, l)
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("%d tries found only %d of %d free loopback ports", maxPortTries, len(ports), n)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
