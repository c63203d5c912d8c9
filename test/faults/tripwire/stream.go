// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package tripwire

import (
	"bufio"
	"io"
	"net/http"
)

// Filter makes of one line of a stream the lines that are passed on in its place. It may block.
type Filter func(line []byte) [][]byte

// FilterStreams sets which filter each stream gets that begins from now on; nil for a request leaves its answer as it
// is.
func (p *Proxy) FilterStreams(filter func(*http.Request) Filter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.filter = filter
}

// DropConnections ends every connection, streams among them: who listens connects anew.
func (p *Proxy) DropConnections() { p.server.CloseClientConnections() }

func (p *Proxy) filterStream(r *http.Response) error {
	p.mu.Lock()
	choose := p.filter
	p.mu.Unlock()
	if choose == nil {
		return nil
	}
	if filter := choose(r.Request); filter != nil {
		r.Body = filtered(r.Body, filter)
	}
	return nil
}

// filtered returns a stream's lines as the filter passes them on.
func filtered(body io.ReadCloser, filter Filter) io.ReadCloser {
	out, in := io.Pipe()
	go func() {
		lines := bufio.NewReader(body)
		for {
			line, err := lines.ReadBytes('\n')
			if len(line) > 0 {
				for _, passed := range filter(line) {
					if _, err := in.Write(passed); err != nil {
						return // nobody reads any more
					}
				}
			}
			if err != nil {
				_ = in.CloseWithError(err) // never fails
				return
			}
		}
	}()
	return stream{PipeReader: out, source: body}
}

// stream closes its source with itself.
type stream struct {
	*io.PipeReader
	source io.Closer
}

func (s stream) Close() error {
	_ = s.PipeReader.Close() // never fails
	return s.source.Close()
}
