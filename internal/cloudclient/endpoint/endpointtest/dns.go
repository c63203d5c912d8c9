// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package endpointtest helps tests to point names at addresses without a name server.
package endpointtest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
)

// ResolverAnswering returns a resolver that answers every question for an IPv4 address with the one given.
func ResolverAnswering(address string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go serveDNS(server, address)
		return client, nil
	}}
}

// serveDNS answers one question over a stream: length, header, question, and the answer for type A.
func serveDNS(connection net.Conn, address string) {
	defer func() { _ = connection.Close() }()
	var length [2]byte
	if _, err := io.ReadFull(connection, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(connection, query); err != nil {
		return
	}
	const headerSize = 12
	end := headerSize
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5 // the root label, type and class
	isA := binary.BigEndian.Uint16(query[end-4:]) == 1
	reply := append([]byte{}, query[:end]...)
	reply[2], reply[3] = 0x81, 0x80 // a reply, recursion available, no error
	copy(reply[6:headerSize], make([]byte, 6))
	if isA {
		reply[7] = 1
		reply = append(reply, 0xc0, headerSize, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4)
		reply = append(reply, netip.MustParseAddr(address).AsSlice()...)
	}
	framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)
	_, _ = connection.Write(framed)
}
