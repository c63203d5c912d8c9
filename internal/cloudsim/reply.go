// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
)

// contentTypeJSON is the media type that the V3 reference documents.
const contentTypeJSON = "application/json;charset=utf8"

// reply is what a handler answers; a nil body is no body at all.
type reply struct {
	status int
	header http.Header
	body   any
}

// rendered is a reply as it goes onto the wire.
type rendered struct {
	status int
	header http.Header
	body   []byte
}

// errorShape is the form of an error body.
type errorShape int

const (
	shapeService errorShape = iota // {error_code, error_msg}, changed by Quirks.ErrorShape
	shapeGateway                   // {error_code, error_msg, request_id}
	shapeIAM                       // {error: {code, message, title}}
	shapeEngine                    // {errorCode, errorMessage, detail}, changed by Quirks.EngineErrorShape
	shapeItems                     // {error_code, error_message, detail}
	shapeVPC                       // {code, message}
)

// apiError is a refusal as the cloud words it.
type apiError struct {
	status  int
	code    string
	message string
	shape   errorShape
	header  http.Header
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

// render turns an outcome into bytes. An error that is not an apiError is the cloud's own fault: 500.
func render(rep reply, err error, requestID string, quirks Quirks) rendered {
	if err == nil {
		return renderReply(rep)
	}
	var refusal *apiError
	if !errors.As(err, &refusal) {
		refusal = &apiError{status: http.StatusInternalServerError, code: "SVCSTG.00100500", message: "Internal server error."}
	}
	out := renderError(refusal, requestID, quirks)
	for name, values := range refusal.header {
		out.header[name] = values
	}
	return out
}

func renderReply(rep reply) rendered {
	header := http.Header{}
	for name, values := range rep.header {
		header[name] = values
	}
	if rep.body == nil {
		return rendered{status: rep.status, header: header}
	}
	header.Set("Content-Type", contentTypeJSON)
	return rendered{status: rep.status, header: header, body: encodeJSON(rep.body)}
}

func renderError(e *apiError, requestID string, quirks Quirks) rendered {
	var body any
	switch e.shape {
	case shapeGateway:
		body = map[string]any{"error_code": gatewayCode(e.code, quirks), "error_msg": e.message, "request_id": requestID}
	case shapeIAM:
		body = map[string]any{"error": map[string]any{"code": e.status, "message": e.message, "title": http.StatusText(e.status)}}
	case shapeEngine:
		body = engineErrorBody(e, quirks)
	case shapeItems:
		body = map[string]any{"error_code": e.code, "error_message": http.StatusText(e.status), "detail": e.message}
	case shapeVPC:
		body = map[string]any{"code": e.code, "message": e.message}
	case shapeService:
		switch quirks.ErrorShape {
		case "error_message":
			body = map[string]any{"error_code": e.code, "error_message": e.message}
		case "camelCase":
			body = map[string]any{"errorCode": e.code, "errorMessage": http.StatusText(e.status), "detail": e.message}
		case "text":
			return rendered{
				status: e.status, header: http.Header{"Content-Type": {"text/plain;charset=utf-8"}}, body: []byte(e.code + " " + e.message),
			}
		case "empty":
			return rendered{status: e.status, header: http.Header{}}
		default:
			body = map[string]any{"error_code": e.code, "error_msg": e.message}
		}
	}
	return rendered{status: e.status, header: http.Header{"Content-Type": {contentTypeJSON}}, body: encodeJSON(body)}
}

// engineErrorBody is one of the forms that pages and clients show for engines.
func engineErrorBody(e *apiError, quirks Quirks) map[string]any {
	switch quirks.EngineErrorShape {
	case "error_msg":
		return map[string]any{"error_code": e.code, "error_msg": http.StatusText(e.status), "detail": e.message}
	case "error_message":
		return map[string]any{"error_code": e.code, "error_message": e.message}
	}
	return map[string]any{"errorCode": e.code, "errorMessage": http.StatusText(e.status), "detail": e.message}
}

// encodeJSON marshals what this package built itself: values that always have a JSON form.
func encodeJSON(v any) []byte {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic("cloudsim: a reply has no JSON form: " + err.Error())
	}
	return bytes.TrimRight(buffer.Bytes(), "\n")
}

func (r rendered) write(w http.ResponseWriter) {
	for name, values := range r.header {
		w.Header()[name] = values
	}
	w.WriteHeader(r.status)
	// A client that is gone is no error of the simulator.
	_, _ = w.Write(r.body)
}

// gatewayCode puts the prefix before a gateway error's number.
func gatewayCode(number string, quirks Quirks) string {
	prefix := quirks.GatewayPrefix
	if prefix == "" {
		prefix = "APIGW"
	}
	return prefix + "." + number
}
