// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"net/http"
	"regexp"
	"strings"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

// answer is what a reply says in its status and its error code; it decides the class.
type answer struct {
	status int
	code   string
}

// Codes of ServiceStage V3 that callers tell apart, without their prefix.
const (
	// CodeMissingOr401 comes with status 401 for a missing environment, application or component, and with 409 for an
	// application that is not empty.
	CodeMissingOr401 = "SVCSTG.00100401"
	// CodeApplicationMissing comes with status 404.
	CodeApplicationMissing = "SVCSTG.00100403"
	// CodeComponentMissing comes with status 404.
	CodeComponentMissing = "SVCSTG.00100404"
	// CodeEnvironmentMissing comes with status 404.
	CodeEnvironmentMissing = "SVCSTG.00100411"
)

// Codes of CSE that callers tell apart (API reference 12.3).
const (
	// CodeEngineMissing comes with status 400.
	CodeEngineMissing = "SVCSTG.00501116"
	// CodeEngineMissingOr401 comes with status 401 for a missing engine.
	CodeEngineMissingOr401 = "SVCSTG.00501125"
	// CodeEngineJobMissing comes with status 400.
	CodeEngineJobMissing = "SVCSTG.00501153"
)

// CodeAccountBlocked is the service center's, with status 403, after three wrong logins: nobody may log in to the
// account from this address for 15 minutes.
const CodeAccountBlocked = "403201"

// gatewayClasses are the answers of the API gateway in front of every service, codes without "APIG." or "APIGW.".
var gatewayClasses = map[answer]clouderr.Class{
	{401, "0302"}: clouderr.Forbidden, // the caller is known and may not use this API
	{504, "0201"}: clouderr.Transient,
}

// serviceClasses are the answers of the services (API reference 12.2 to 12.4), codes without "SVCSTG.". What is in no
// table goes by its status.
var serviceClasses = map[Service]map[answer]clouderr.Class{
	ServiceStage: {
		{400, "00100400"}: clouderr.Invalid,
		{400, "00100402"}: clouderr.Invalid,
		{400, "00100414"}: clouderr.Invalid,
		{400, "00100418"}: clouderr.Invalid,
		{400, "00100420"}: clouderr.Invalid,
		{400, "00100422"}: clouderr.Invalid,
		{400, "00100425"}: clouderr.Invalid,
		{400, "00100449"}: clouderr.Exists, // environment name
		{400, "00100458"}: clouderr.Exists, // application name; not in the reference

		// A missing resource in practice. Whether it is gone must be confirmed; until then it is only a failure.
		{401, "00100401"}: clouderr.Transient,

		{404, "00100403"}: clouderr.NotFound, // application
		{404, "00100404"}: clouderr.NotFound, // component
		{404, "00100411"}: clouderr.NotFound, // environment
		{404, "00100429"}: clouderr.NotFound, // job
		{404, "00100433"}: clouderr.NotFound, // release task
		{404, "00100408"}: clouderr.Invalid,  // the ones below are things that a request refers to
		{404, "00100412"}: clouderr.Invalid,
		{404, "00100424"}: clouderr.Invalid,
		{404, "00100436"}: clouderr.Invalid,
		{404, "00100438"}: clouderr.Invalid,
		{404, "00100441"}: clouderr.Invalid, // "version already used", of all things under 404

		{405, "00100421"}: clouderr.Quota,     // quota suspended
		{405, "00100427"}: clouderr.Forbidden, // no permission
		{408, "00100428"}: clouderr.Transient,

		{409, "00100401"}: clouderr.InUse, // application not empty
		{409, "00100413"}: clouderr.Exists,
		{409, "00100419"}: clouderr.Busy,
		{409, "00100423"}: clouderr.Busy,
		{409, "00100426"}: clouderr.InUse, // environment in use
		{409, "00100432"}: clouderr.Busy,
		{409, "00100435"}: clouderr.Busy,
		{409, "00100439"}: clouderr.InUse, // ELB used by another component
	},
	CSE: {
		{400, "00501111"}: clouderr.Exists,    // engine name
		{400, "00501112"}: clouderr.Quota,     // engines of the account
		{400, "00501116"}: clouderr.NotFound,  // engine
		{400, "00501117"}: clouderr.Busy,      // not deletable in its state
		{400, "00501133"}: clouderr.Quota,     // engines at the site
		{400, "00501149"}: clouderr.Transient, // a node of the engine is abnormal
		{400, "00501153"}: clouderr.NotFound,  // job

		// A missing engine in practice. Whether it is gone must be confirmed; until then it is only a failure.
		{401, "00501125"}: clouderr.Transient,

		// Import and export of configuration.
		{404, "00400106"}: clouderr.NotFound,
		{409, "00400107"}: clouderr.Exists,
		{400, "00300401"}: clouderr.Forbidden, // the engine's token, not the account's
	},
	VPC: {
		{401, "VPC.0005"}: clouderr.Forbidden, // the account's standing, not its credentials
		{401, "VPC.0009"}: clouderr.Forbidden,
		{404, "VPC.0003"}: clouderr.NotFound, // VPC
	},
	Kie: {
		{400, "00300401"}: clouderr.Unauthorized, // token
		{400, "400100"}:   clouderr.Quota,
		{404, "00400106"}: clouderr.NotFound,
		{404, "404001"}:   clouderr.NotFound,
		{409, "00400107"}: clouderr.Exists,
		{409, "409001"}:   clouderr.Exists,
		{409, ""}:         clouderr.Exists,
		{500, "500101"}:   clouderr.Quota,
	},
	ServiceCenter: {
		{403, CodeAccountBlocked}: clouderr.Throttled,
	},
}

var quotaPattern = regexp.MustCompile(`(?i)quota|exceed(s|ed)? (the )?(maximum|limit)|(maximum|limit) (number )?(is |was |has been )?(reached|exceeded)`)

// classify turns a reply that is not a success into a class. Pure.
func classify(service Service, status int, code, message string) clouderr.Class {
	if gateway, found := gatewayCode(code); found {
		if class, found := gatewayClasses[answer{status, gateway}]; found {
			return class
		}
	}
	if class, found := serviceClasses[service][answer{status, strings.TrimPrefix(code, servicePrefix)}]; found {
		return class
	}
	switch {
	case status == http.StatusUnauthorized && isServiceCode(code):
		return clouderr.Forbidden // the service speaks, so the gateway took the credentials
	case status == http.StatusUnauthorized:
		return clouderr.Unauthorized
	case status == http.StatusForbidden && quotaPattern.MatchString(message):
		return clouderr.Quota
	case status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return clouderr.Forbidden
	case status == http.StatusNotFound && code == "":
		return clouderr.Transient // nobody we know said it: a proxy, a half-started gateway
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return clouderr.Transient
	case status == http.StatusConflict, status == http.StatusLocked:
		return clouderr.Busy
	case status == http.StatusTooManyRequests:
		return clouderr.Throttled
	case status >= 300 && status < 500:
		return clouderr.Invalid
	default:
		return clouderr.Transient
	}
}

const servicePrefix = "SVCSTG."

// isServiceCode says whether a code comes from ServiceStage or CSE rather than from the gateway.
func isServiceCode(code string) bool { return strings.HasPrefix(code, servicePrefix) }

// gatewayCode returns the number of a gateway's code, "0301" of both "APIG.0301" and "APIGW.0301".
func gatewayCode(code string) (string, bool) {
	if number, found := strings.CutPrefix(code, "APIGW."); found {
		return number, true
	}
	return strings.CutPrefix(code, "APIG.")
}

func lower(s string) string { return strings.ToLower(s) }
