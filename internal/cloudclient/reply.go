// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

const (
	maxReply      = 8 << 20  // bytes of a successful reply, after decompression
	maxErrorReply = 64 << 10 // bytes of an error's body that are looked at
)

var errTooLarge = fmt.Errorf("the reply is larger than %d MiB", maxReply>>20)

// reply is an HTTP response that was read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r *reply) success() bool { return r.status >= 200 && r.status < 300 }

// accepted says whether a call was let in by what limits calls.
func (r *reply) accepted() bool {
	return r != nil && r.status != http.StatusTooManyRequests && r.status < http.StatusInternalServerError
}

// readReply reads a response within the bounds and closes it. An error's body is cut, a successful one must fit.
func readReply(response *http.Response) (read *reply, err error) {
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	read = &reply{status: response.StatusCode, header: response.Header}
	if !read.success() {
		read.body, err = io.ReadAll(io.LimitReader(response.Body, maxErrorReply))
		if err != nil {
			read.body, err = nil, nil // the status says enough
		}
		return read, err
	}
	read.body, err = io.ReadAll(io.LimitReader(response.Body, maxReply+1))
	if err == nil && len(read.body) > maxReply {
		err = errTooLarge
	}
	return read, err
}

// decode fills out from a successful reply. Garbage and silence are transient: what was asked for may have been done.
func (r *reply) decode(out any) error {
	if out == nil {
		return nil
	}
	if len(bytes.TrimSpace(r.body)) == 0 {
		return clouderr.New(clouderr.Transient, "the cloud answered HTTP %d with an empty body", r.status)
	}
	if err := json.Unmarshal(r.body, out); err != nil {
		return clouderr.New(clouderr.Transient, "the cloud answered HTTP %d with a body that is not the expected JSON (%s)",
			r.status, jsonProblem(err))
	}
	return nil
}

// jsonProblem describes a decoding failure without any of the body's content.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("malformed at byte %d", syntax.Offset)
	case errors.As(err, &mismatch):
		return fmt.Sprintf("%s where %s belongs", mismatch.Value, mismatch.Type)
	default:
		return "malformed"
	}
}

// failure turns a reply that is not a success into an error. Bodies that are not JSON are not quoted, so that a
// status can never show what some other server answered.
func (r *reply) failure(service Service, now time.Time) *clouderr.Error {
	fault, parsed := parseFault(r.body)
	requestID := r.header.Get("X-Request-Id")
	if requestID == "" {
		requestID = fault.requestID
	}
	out := &clouderr.Error{
		Status: r.status, Code: fault.code, Message: withoutCanonicalRequest(fault.message), RequestID: requestID,
		RetryAfter: retryAfter(r.header, now),
	}
	out.Class = classify(service, r.status, fault.code, fault.message)
	switch {
	case r.status >= 300 && r.status < 400:
		out.Message = fmt.Sprintf("the endpoint answered with a redirect (HTTP %d), which is not followed; check the account's endpoints", r.status)
	case !parsed && len(r.body) == 0:
		out.Message = fmt.Sprintf("the cloud answered HTTP %d with an empty body", r.status)
	case !parsed:
		out.Message = fmt.Sprintf("the cloud answered HTTP %d with a body that is not JSON", r.status)
	case out.Message == "":
		out.Message = fmt.Sprintf("the cloud answered HTTP %d without a message", r.status)
	}
	return out
}

// fault is what an error's body says.
type fault struct{ code, message, requestID string }

// parseFault reads every shape of error body that the services use:
//
//	{"error_code", "error_msg", "request_id"}                gateway, ServiceStage
//	{"error_code", "error_message", "detail"}                Kie and its import
//	{"errorCode", "errorMessage", "detail"}                  CSE, service center
//	{"error_code", "error_detail", "error_message", ...}     repository authorisations
//	{"code", "message", "requestId"}                         VPC and others
//	{"error": {any of the above, or "code" and "title"}}     IAM, EPS
//
// It reports false for text, HTML and silence.
func parseFault(body []byte) (fault, bool) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil || object == nil {
		return fault{}, false
	}
	requestID := firstText(object, "request_id", "requestId", "RequestId")
	if inner, found := object["error"]; found {
		var nested map[string]json.RawMessage
		if err := json.Unmarshal(inner, &nested); err == nil && nested != nil {
			object = nested
		} else {
			object["message"] = inner
		}
	}
	read := fault{
		code:    strings.ReplaceAll(firstText(object, "error_code", "errorCode", "code"), " ", ""),
		message: firstText(object, "error_msg", "error_message", "errorMessage", "message", "title"),
	}
	read.requestID = requestID
	if read.requestID == "" {
		read.requestID = firstText(object, "request_id", "requestId")
	}
	if detail := firstText(object, "detail", "error_detail"); detail != "" && detail != read.message {
		if read.message == "" {
			read.message = detail
		} else {
			read.message += ": " + detail
		}
	}
	return read, true
}

// firstText returns the first of the members that is a text or a number.
func firstText(object map[string]json.RawMessage, names ...string) string {
	for _, name := range names {
		raw, found := object[name]
		if !found {
			continue
		}
		var text string
		if json.Unmarshal(raw, &text) == nil && text != "" {
			return text
		}
		var number json.Number
		if json.Unmarshal(raw, &number) == nil && number != "" {
			return number.String()
		}
	}
	return ""
}

var canonicalPattern = regexp.MustCompile(`(?is)[,;:.\s]*canonical[ _-]?request.*`)

// withoutCanonicalRequest cuts what some gateways append to a signature failure: the request as they saw it, with its
// time and its tokens.
func withoutCanonicalRequest(message string) string {
	return canonicalPattern.ReplaceAllString(message, "")
}

// retryAfter reads the header as seconds or as a date; 0 where it is absent, malformed or past.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if value == "" {
		return 0
	}
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), maxHold)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), maxHold)
	}
	return 0
}
