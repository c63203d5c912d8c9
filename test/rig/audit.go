// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package rig

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Request is one request that the API server has answered.
type Request struct {
	Time      time.Time
	User      string
	UserAgent string
	Verb      string
	Group     string
	Resource  string
	// Subresource such as status; empty for the object itself.
	Subresource string
	Namespace   string
	Name        string
	Code        int
	// Forbidden says that no role allowed the request; a namespace that is being deleted answers 403 as well.
	Forbidden bool
}

// String reads like a line of a log.
func (r Request) String() string {
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return fmt.Sprintf("%s %s %s/%s -> %d", r.Verb, resource, r.Namespace, r.Name, r.Code)
}

// IsWrite says whether the request asked for a change.
func (r Request) IsWrite() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb)
}

// Audit returns the requests answered so far for which keep is true, oldest first. Needs ControlPlaneOptions.Audit.
func (cp *ControlPlane) Audit(keep func(Request) bool) ([]Request, error) {
	if cp.auditLog == "" {
		return nil, errors.New("the control plane was started without ControlPlaneOptions.Audit")
	}
	log, err := os.Open(cp.auditLog)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer log.Close()
	var requests []Request
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return requests, nil // what is left, if anything, is a line that is still being written
		}
		if err != nil {
			return nil, err
		}
		request, err := parseAuditEvent(line)
		if err != nil {
			return nil, err
		}
		if keep(request) {
			requests = append(requests, request)
		}
	}
}

func parseAuditEvent(line []byte) (Request, error) {
	var event struct {
		Verb string
		User struct{ Username string }

		UserAgent      string
		ObjectRef      struct{ APIGroup, Resource, Subresource, Namespace, Name string }
		ResponseStatus struct{ Code int }
		StageTimestamp time.Time
		Annotations    map[string]string
	}
	if err := json.Unmarshal(line, &event); err != nil {
		return Request{}, fmt.Errorf("audit log: %w in %q", err, line)
	}
	agent, _, _ := strings.Cut(event.UserAgent, " ")
	return Request{
		Time: event.StageTimestamp, User: event.User.Username, UserAgent: agent, Verb: event.Verb,
		Group: event.ObjectRef.APIGroup, Resource: event.ObjectRef.Resource, Subresource: event.ObjectRef.Subresource,
		Namespace: event.ObjectRef.Namespace, Name: event.ObjectRef.Name, Code: event.ResponseStatus.Code,
		Forbidden: event.Annotations["authorization.k8s.io/decision"] == "forbid",
	}, nil
}
