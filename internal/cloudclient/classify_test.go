// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		service Service
		status  int
		code    string
		message string
		want    clouderr.Class
	}{
		// The error codes of ServiceStage, one by one.
		{ServiceStage, 400, "SVCSTG.00100400", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100402", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100414", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100418", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100420", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100422", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100425", "", clouderr.Invalid},
		{ServiceStage, 400, "SVCSTG.00100449", "", clouderr.Exists},
		{ServiceStage, 400, "SVCSTG.00100458", "", clouderr.Exists},
		{ServiceStage, 401, "SVCSTG.00100401", "", clouderr.Transient},
		{ServiceStage, 404, "SVCSTG.00100403", "", clouderr.NotFound},
		{ServiceStage, 404, "SVCSTG.00100404", "", clouderr.NotFound},
		{ServiceStage, 404, "SVCSTG.00100408", "", clouderr.Invalid},
		{ServiceStage, 404, "SVCSTG.00100411", "", clouderr.NotFound},
		{ServiceStage, 404, "SVCSTG.00100412", "", clouderr.Invalid},
		{ServiceStage, 404, "SVCSTG.00100424", "", clouderr.Invalid},
		{ServiceStage, 404, "SVCSTG.00100429", "", clouderr.NotFound},
		{ServiceStage, 404, "SVCSTG.00100433", "", clouderr.NotFound},
		{ServiceStage, 404, "SVCSTG.00100436", "", clouderr.Invalid},
		{ServiceStage, 404, "SVCSTG.00100438", "", clouderr.Invalid},
		{ServiceStage, 404, "SVCSTG.00100441", "", clouderr.Invalid},
		{ServiceStage, 405, "SVCSTG.00100421", "", clouderr.Quota},
		{ServiceStage, 405, "SVCSTG.00100427", "", clouderr.Forbidden},
		{ServiceStage, 408, "SVCSTG.00100428", "", clouderr.Transient},
		{ServiceStage, 409, "SVCSTG.00100401", "", clouderr.InUse},
		{ServiceStage, 409, "SVCSTG.00100413", "", clouderr.Exists},
		{ServiceStage, 409, "SVCSTG.00100419", "", clouderr.Busy},
		{ServiceStage, 409, "SVCSTG.00100423", "", clouderr.Busy},
		{ServiceStage, 409, "SVCSTG.00100426", "", clouderr.InUse},
		{ServiceStage, 409, "SVCSTG.00100432", "", clouderr.Busy},
		{ServiceStage, 409, "SVCSTG.00100435", "", clouderr.Busy},
		{ServiceStage, 409, "SVCSTG.00100439", "", clouderr.InUse},
		{ServiceStage, 500, "SVCSTG.00100500", "", clouderr.Transient},
		{ServiceStage, 500, "SVCSTG.00100501", "", clouderr.Transient},

		// Engines, and their configuration through the gateway.
		{CSE, 400, "SVCSTG.00501103", "", clouderr.Invalid},
		{CSE, 400, "SVCSTG.00501104", "", clouderr.Invalid},
		{CSE, 400, "SVCSTG.00501105", "", clouderr.Invalid},
		{CSE, 400, "SVCSTG.00501111", "", clouderr.Exists},
		{CSE, 400, "SVCSTG.00501112", "", clouderr.Quota},
		{CSE, 400, "SVCSTG.00501116", "", clouderr.NotFound},
		{CSE, 400, "SVCSTG.00501117", "", clouderr.Busy},
		{CSE, 400, "SVCSTG.00501133", "", clouderr.Quota},
		{CSE, 400, "SVCSTG.00501134", "", clouderr.Invalid},
		{CSE, 400, "SVCSTG.00501149", "", clouderr.Transient},
		{CSE, 400, "SVCSTG.00501152", "", clouderr.Invalid},
		{CSE, 400, "SVCSTG.00501153", "", clouderr.NotFound},
		{CSE, 400, "SVCSTG.00501201", "", clouderr.Invalid},
		{CSE, 401, "SVCSTG.00501125", "", clouderr.Transient},
		{CSE, 500, "SVCSTG.00500400", "", clouderr.Transient},
		{CSE, 400, "SVCSTG.00400649", "", clouderr.Invalid},
		{CSE, 404, "SVCSTG.00400106", "", clouderr.NotFound},
		{CSE, 409, "SVCSTG.00400107", "", clouderr.Exists},
		{CSE, 400, "SVCSTG.00300401", "", clouderr.Forbidden},
		{CSE, 500, "SVCSTG.00300605", "", clouderr.Transient},
		{CSE, 401, "APIGW.0301", "", clouderr.Unauthorized},

		// An engine's own services.
		{Kie, 400, "400001", "", clouderr.Invalid},
		{Kie, 400, "400100", "", clouderr.Quota},
		{Kie, 400, "SVCSTG.00300401", "", clouderr.Unauthorized},
		{Kie, 401, "", "", clouderr.Unauthorized},
		{Kie, 403, "403205", "", clouderr.Forbidden},
		{Kie, 404, "404001", "", clouderr.NotFound},
		{Kie, 404, "", "", clouderr.Transient},
		{Kie, 409, "409001", "", clouderr.Exists},
		{Kie, 409, "", "", clouderr.Exists},
		{Kie, 415, "", "", clouderr.Invalid},
		{Kie, 429, "", "", clouderr.Throttled},
		{Kie, 500, "500003", "", clouderr.Transient},
		{Kie, 500, "500101", "", clouderr.Quota},
		{ServiceCenter, 401, "401202", "", clouderr.Unauthorized},
		{ServiceCenter, 403, "403201", "", clouderr.Throttled},
		{ServiceCenter, 403, "403205", "", clouderr.Forbidden},

		// Networks.
		{VPC, 401, "VPC.0005", "", clouderr.Forbidden},
		{VPC, 401, "VPC.0008", "", clouderr.Unauthorized},
		{VPC, 401, "VPC.0009", "", clouderr.Forbidden},
		{VPC, 403, "VPC.2701", "", clouderr.Forbidden},
		{VPC, 404, "VPC.0003", "", clouderr.NotFound},
		{VPC, 400, "VPC.0007", "", clouderr.Invalid},

		// A code means nothing under another status, or from another service.
		{ServiceStage, 400, "SVCSTG.00100411", "", clouderr.Invalid},
		{ServiceStage, 500, "SVCSTG.00100411", "", clouderr.Transient},
		{ServiceStage, 404, "APIGW.00100411", "", clouderr.Invalid},
		{VPC, 404, "SVCSTG.00100411", "", clouderr.Invalid},

		// The gateway.
		{ServiceStage, 401, "APIG.0301", "", clouderr.Unauthorized},
		{ServiceStage, 401, "APIGW.0301", "", clouderr.Unauthorized},
		{ServiceStage, 401, "APIGW.0302", "", clouderr.Forbidden},
		{ServiceStage, 403, "APIGW.0302", "", clouderr.Forbidden},
		{ServiceStage, 404, "APIGW.0101", "", clouderr.Invalid},
		{ServiceStage, 413, "APIG.0201", "", clouderr.Invalid},
		{ServiceStage, 504, "APIG.0201", "", clouderr.Transient},
		{ServiceStage, 429, "APIGW.0308", "", clouderr.Throttled},
		{IAM, 401, "401", "The username or password is wrong.", clouderr.Unauthorized},

		// By status.
		{ServiceStage, 301, "", "", clouderr.Invalid},
		{ServiceStage, 304, "", "", clouderr.Invalid},
		{ServiceStage, 400, "", "", clouderr.Invalid},
		{ServiceStage, 401, "", "", clouderr.Unauthorized},
		{CSE, 401, "SVCSTG.00501199", "", clouderr.Forbidden},
		{ServiceStage, 402, "", "", clouderr.Forbidden},
		{ServiceStage, 403, "", "", clouderr.Forbidden},
		{ServiceStage, 403, "X.1", "Environment quota exceeded", clouderr.Quota},
		{ServiceStage, 403, "X.1", "exceeds the maximum number", clouderr.Quota},
		{ServiceStage, 403, "X.1", "the limit has been reached", clouderr.Quota},
		{ServiceStage, 403, "X.1", "you do not have permission", clouderr.Forbidden},
		{ServiceStage, 404, "", "", clouderr.Transient},
		{ServiceStage, 404, "X.1", "", clouderr.Invalid},
		{ServiceStage, 405, "", "", clouderr.Invalid},
		{ServiceStage, 408, "", "", clouderr.Transient},
		{ServiceStage, 409, "", "", clouderr.Busy},
		{ServiceStage, 418, "", "", clouderr.Invalid},
		{ServiceStage, 422, "", "", clouderr.Invalid},
		{ServiceStage, 423, "", "", clouderr.Busy},
		{ServiceStage, 425, "", "", clouderr.Transient},
		{ServiceStage, 429, "", "", clouderr.Throttled},
		{ServiceStage, 500, "", "", clouderr.Transient},
		{ServiceStage, 503, "", "quota", clouderr.Transient},
		{ServiceStage, 600, "", "", clouderr.Transient},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.service, " ", tt.status, " ", tt.code, " ", tt.message), func(t *testing.T) {
			if got := classify(tt.service, tt.status, tt.code, tt.message); got != tt.want {
				t.Errorf("class = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestParseFault(t *testing.T) {
	tests := []struct {
		name, body string
		want       fault
		ok         bool
	}{
		{"A, gateway", `{"error_code":"APIG.0301","error_msg":"Incorrect","request_id":"r1"}`, fault{"APIG.0301", "Incorrect", "r1"}, true},
		{"A, ServiceStage", `{"error_code":"SVCSTG.00100449","error_msg":"in use"}`, fault{"SVCSTG.00100449", "in use", ""}, true},
		{"A, code as the reference prints it", `{"error_code":"SVCSTG.0010 0449","error_msg":"in use"}`, fault{"SVCSTG.00100449", "in use", ""}, true},
		{"B, CSE", `{"errorCode":"SVCSTG.00501111","errorMessage":"bad","detail":"duplicate name"}`, fault{"SVCSTG.00501111", "bad: duplicate name", ""}, true},
		{"C, Kie", `{"error_code":"SVCSTG.00400649","error_message":"too long"}`, fault{"SVCSTG.00400649", "too long", ""}, true},
		{"C, with detail", `{"error_code":"X","error_message":"m","detail":"m"}`, fault{"X", "m", ""}, true},
		{"D, IAM", `{"error":{"code":401,"message":"wrong password","title":"Unauthorized"}}`, fault{"401", "wrong password", ""}, true},
		{"D, title only", `{"error":{"code":"IAM.0001","title":"Bad Request"}}`, fault{"IAM.0001", "Bad Request", ""}, true},
		{"E, EPS", `{"error":{"error_code":"EPS.0004","error_msg":"invalid"}}`, fault{"EPS.0004", "invalid", ""}, true},
		{"F, VPC", `{"code":"VPC.0003","message":"VPC does not exist."}`, fault{"VPC.0003", "VPC does not exist.", ""}, true},
		{"G, repositories", `{"error_code":"SVCSTG.REPO.0403","error_detail":"why","error_message":"","error_msg":"exists"}`,
			fault{"SVCSTG.REPO.0403", "exists: why", ""}, true},
		{"G, detail only", `{"error_code":"SVCSTG.REPO.0403","error_detail":"why"}`, fault{"SVCSTG.REPO.0403", "why", ""}, true},
		{"H, BCE", `{"requestId":"r2","code":"NoSuchKey","message":"gone"}`, fault{"NoSuchKey", "gone", "r2"}, true},
		{"request id beside the error", `{"error":{"code":"1","message":"m"},"request_id":"r3"}`, fault{"1", "m", "r3"}, true},
		{"error as text", `{"error":"went wrong"}`, fault{"", "went wrong", ""}, true},
		{"nothing known", `{"a":1}`, fault{}, true},
		{"members of other types", `{"error_code":{"x":1},"error_msg":["y"],"message":"m"}`, fault{"", "m", ""}, true},
		{"I, empty", ``, fault{}, false},
		{"I, text", `Service Unavailable`, fault{}, false},
		{"HTML", `<html></html>`, fault{}, false},
		{"null", `null`, fault{}, false},
		{"a list", `[1]`, fault{}, false},
		{"cut", `{"error_code":"X"`, fault{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := parseFault([]byte(tt.body))
			if got != tt.want || ok != tt.ok {
				t.Errorf("parseFault = %+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzParseFault(f *testing.F) {
	f.Add(`{"error":{"code":401,"message":"m"}}`)
	for _, seed := range []string{"", "null", "{}", "[", "<html>", `{"error":{}}`, `{"error":"text"}`, `{"error":` + strings.Repeat("[", 20000)} {
		f.Add(seed)
	}
	f.Add(`{"error_code":"APIG.0308","error_msg":"policy user over ratelimit,limit:1,time:1 day"}`)
	f.Fuzz(func(t *testing.T, body string) {
		for _, status := range []int{301, 401, 404, 429, 500} {
			failure := (&reply{status: status, header: http.Header{}, body: []byte(body)}).failure(ServiceStage, time.Now())
			if failure.Class == "" || failure.Message == "" || len(failure.UserMessage()) > 512 {
				t.Errorf("status %d, body %q: %+v", status, body, failure)
			}
			if failure.Class == clouderr.NotFound && !strings.Contains(body, "00100") {
				t.Errorf("status %d, body %q counts as not found", status, body)
			}
		}
	})
}

func TestCanonicalRequestIsCut(t *testing.T) {
	for message, want := range map[string]string{
		"verify aksk signature fail, canonicalRequest:GET|/v3/|host:h|x-sdk-date:20260102T030405Z": "verify aksk signature fail",
		"Signature does not match. Canonical Request: GET\n/\n":                                    "Signature does not match",
		"verify aksk signature fail": "verify aksk signature fail",
	} {
		if got := withoutCanonicalRequest(message); got != want {
			t.Errorf("withoutCanonicalRequest(%q) = %q, want %q", message, got, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "soon": 0, "999999": maxHold,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
		"Sat, 03 Jan 2026 03:04:00 GMT": maxHold,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("retryAfter(%q) = %v, want %v", value, got, want)
		}
	}
}
