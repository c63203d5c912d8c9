// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package clouderr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestClassOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want Class
	}{
		{"nil", nil, ""},
		{"an error of ours", New(Quota, "full"), Quota},
		{"an error of ours, wrapped", fmt.Errorf("creating: %w", New(InUse, "used")), InUse},
		{"a class outside wins over the class inside", New(NotFound, "gone: %w", New(Transient, "401")), NotFound},
		{"an error of ours without a class", &Error{Message: "?"}, Transient},
		{"deadline", context.DeadlineExceeded, Transient},
		{"net", &net.OpError{Op: "dial", Err: errors.New("refused")}, Transient},
		{"anything else", errors.New("?"), Transient},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ClassOf(tt.err); got != tt.want {
				t.Errorf("ClassOf = %q, want %q", got, tt.want)
			}
			if tt.err != nil && !Is(tt.err, tt.want) {
				t.Errorf("Is(%q) = false", tt.want)
			}
		})
	}
	if Is(nil, "") {
		t.Error("Is(nil) = true, want false")
	}
}

func TestErrorTellsEverything(t *testing.T) {
	err := &Error{
		Class: Throttled, Service: "servicestage", Operation: "CreateEnvironment", Status: 429, Code: "APIGW.0308",
		Message: "policy user over\nratelimit", RequestID: "r-1", RetryAfter: 7 * time.Second, Err: errors.New("cause"),
	}
	want := "servicestage CreateEnvironment: policy user over ratelimit " +
		"(class Throttled, status 429, code APIGW.0308, request id r-1, retry after 7s): cause"
	if got := err.Error(); got != want {
		t.Errorf("Error()\n got %q\nwant %q", got, want)
	}
	if got := RetryAfter(fmt.Errorf("x: %w", err)); got != 7*time.Second {
		t.Errorf("RetryAfter = %v, want 7s", got)
	}
	if got := RetryAfter(errors.New("x")); got != 0 {
		t.Errorf("RetryAfter of a foreign error = %v, want 0", got)
	}
}

func TestUserMessage(t *testing.T) {
	tests := []struct {
		name string
		err  *Error
		want string
	}{
		{"code and message", &Error{Code: "SVCSTG.00100449", Message: "name in use", RequestID: "r", Status: 400}, "SVCSTG.00100449: name in use"},
		{"request id inside the message", &Error{Message: "failed, request r-77777777", RequestID: "r-77777777"}, "failed, request"},
		{"code only", &Error{Code: "GA.9004"}, "GA.9004"},
		{"status only", &Error{Status: 502}, "the cloud answered HTTP 502 without a message"},
		{"nothing", &Error{}, "the cloud call failed"},
		{"code not repeated", &Error{Code: "A.1", Message: "A.1 is wrong"}, "A.1 is wrong"},
		{"control and direction characters", &Error{Message: "a\x00b\r\n\tc\u202ed\xff"}, "a b c d\uFFFD"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.err.UserMessage(); got != tt.want {
				t.Errorf("UserMessage = %q, want %q", got, tt.want)
			}
			if got := UserMessage(fmt.Errorf("x: %w", tt.err)); got != tt.want {
				t.Errorf("UserMessage(wrapped) = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUserMessageIsBounded(t *testing.T) {
	for _, pad := range []string{"", "a", "ab", "abc"} {
		got := (&Error{Code: "C", Message: pad + strings.Repeat("é", 5000)}).UserMessage()
		if len(got) > maxUserMessage || len(got) < maxUserMessage-4 || !utf8.ValidString(got) || !strings.HasSuffix(got, "...") {
			t.Errorf("pad %q: %d bytes, valid %v: %q", pad, len(got), utf8.ValidString(got), got)
		}
	}
	if got := UserMessage(errors.New(strings.Repeat("x", 5000))); len(got) != maxUserMessage {
		t.Errorf("a foreign error's message has %d bytes, want %d", len(got), maxUserMessage)
	}
	if got := UserMessage(context.DeadlineExceeded); got != "the cloud did not answer in time" {
		t.Errorf("deadline: %q", got)
	}
	if got := UserMessage(nil); got != "" {
		t.Errorf("nil: %q", got)
	}
}

func TestNewWraps(t *testing.T) {
	err := New(Invalid, "endpoint: %w", context.Canceled)
	if !errors.Is(err, context.Canceled) {
		t.Error("errors.Is(Canceled) = false, want true")
	}
	if got, want := err.Error(), "endpoint: context canceled (class Invalid)"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
