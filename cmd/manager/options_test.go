// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/labels"

	"servicestage.dev/operator/internal/manager"
)

func TestParse(t *testing.T) {
	defaults := func(change ...func(*options)) *options {
		o := &options{
			config: manager.Config{
				MetricsAddress: ":8080", ProbeAddress: ":8081", ProfileAddress: "0", ListInterval: 30 * time.Second, ResyncInterval: 6 * time.Hour,
				LeaderElectionID: manager.LeaderElectionID, MaxConcurrentReconciles: 10,
				GracePeriod: 20 * time.Second,
			},
			logLevel: slog.LevelInfo, logFormat: "json", qps: 0, burst: 100,
		}
		for _, c := range change {
			c(o)
		}
		return o
	}
	unsharded, err := labels.Parse("!shard")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args string
		want *options
	}{
		{"", defaults()},
		{"--leader-elect --leader-election-namespace=ops", defaults(func(o *options) {
			o.config.LeaderElection, o.config.LeaderElectionNamespace = true, "ops"
		})},
		{"--metrics-bind-address=0 --health-probe-bind-address=127.0.0.1:1", defaults(func(o *options) {
			o.config.MetricsAddress, o.config.ProbeAddress = "0", "127.0.0.1:1"
		})},
		{"--watch-namespaces=a,b --watch-namespaces=c", defaults(func(o *options) { o.config.WatchNamespaces = []string{"a", "b", "c"} })},
		{"--cluster-accounts", defaults()},
		{"--cluster-accounts=false", defaults(func(o *options) { o.config.NoClusterAccounts = true })},
		{"--allow-endpoint-host=*.example.com,http://127.0.0.1:9090 -allow-endpoint-host cloud.internal:8443", defaults(func(o *options) {
			o.config.AllowEndpointHosts = []string{"*.example.com", "http://127.0.0.1:9090", "cloud.internal:8443"}
		})},
		{"--list-interval=0", defaults(func(o *options) { o.config.ListInterval = 0 })},
		{"--list-interval=1m", defaults(func(o *options) { o.config.ListInterval = time.Minute })},
		{"--resync-interval=5s --max-concurrent-reconciles=1 --graceful-shutdown-timeout=1m", defaults(func(o *options) {
			o.config.ResyncInterval, o.config.MaxConcurrentReconciles, o.config.GracePeriod = 5*time.Second, 1, time.Minute
		})},
		{"--log-level=debug --log-format=text", defaults(func(o *options) { o.logLevel, o.logFormat = slog.LevelDebug, "text" })},
		{"--watch-selector=!shard --leader-election-id=rest", defaults(func(o *options) {
			o.config.Selector, o.config.LeaderElectionID = unsharded, "rest"
		})},
		{"--pprof-bind-address=127.0.0.1:6060", defaults(func(o *options) { o.config.ProfileAddress = "127.0.0.1:6060" })},
		{"--kube-api-qps=7.5 --kube-api-burst=9", defaults(func(o *options) { o.qps, o.burst = 7.5, 9 })},
	} {
		t.Run(tc.args, func(t *testing.T) {
			got, err := parse(strings.Fields(tc.args))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

// silenced keeps what the flag package says of errors off the test's output.
func silenced(t *testing.T) {
	t.Helper()
	stderr := os.Stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, r)
	}()
	t.Cleanup(func() {
		os.Stderr = stderr
		_ = w.Close()
		<-drained
		_ = r.Close()
	})
}

func TestParseRefusesAndNamesTheFlag(t *testing.T) {
	silenced(t)
	for _, tc := range []struct {
		args string
		want []string
	}{
		{"--list-interval=4999ms", []string{"--list-interval is 4.999s", "at least 5s"}},
		{"--resync-interval=4999ms", []string{"--resync-interval is 4.999s", "at least 5s"}},
		{"--resync-interval=-1h", []string{"--resync-interval", "at least 5s"}},
		{"--resync-interval=soon", []string{"-resync-interval", "soon"}},
		{"--max-concurrent-reconciles=0", []string{"--max-concurrent-reconciles is 0", "at least 1"}},
		{"--max-concurrent-reconciles=many", []string{"-max-concurrent-reconciles", "many"}},
		{"--log-format=xml", []string{`--log-format is "xml"`, "json or text"}},
		{"--log-level=loud", []string{"-log-level", "loud"}},
		{"--allow-endpoint-host=ftp://example.com", []string{"--allow-endpoint-host", "ftp://example.com", "not http or https"}},
		{"--allow-endpoint-host=good.example.com,http://*.example.com", []string{"--allow-endpoint-host", "plain http cannot be allowed for a wildcard"}},
		{"--allow-endpoint-host=169.254.169.254", []string{"--allow-endpoint-host", "169.254.169.254"}},
		{"--leader-elect=perhaps", []string{"-leader-elect", "perhaps"}},
		{"--kube-api-qps=-1", []string{"--kube-api-qps is -1", "must not be negative"}},
		{"--kube-api-qps=fast", []string{"-kube-api-qps", "fast"}},
		{"--leader-election-id=", []string{"--leader-election-id is empty"}},
		{"--watch-selector=a=b=c", []string{"-watch-selector", "a=b=c"}},
		{"--cluster-name=eu/1", []string{"--cluster-name is \"eu/1\"", "at most 20"}},
		{"--nonsense", []string{"-nonsense"}},
		{"serve", []string{`unexpected argument "serve"`}},
	} {
		t.Run(tc.args, func(t *testing.T) {
			_, err := parse(strings.Fields(tc.args))
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, word := range tc.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the error %q does not hold %q", err, word)
				}
			}
		})
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	silenced(t)
	if err := run([]string{"--help"}); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("run --help: %v", err)
	}
}

func TestHandlerWritesInTheFormatAndLevelAskedFor(t *testing.T) {
	if _, ok := handler(&options{logFormat: "text"}).(*slog.TextHandler); !ok {
		t.Error("text is not written as text")
	}
	h := handler(&options{logFormat: "json", logLevel: slog.LevelWarn})
	if _, ok := h.(*slog.JSONHandler); !ok {
		t.Error("json is not written as JSON")
	}
	if h.Enabled(t.Context(), slog.LevelInfo) || !h.Enabled(t.Context(), slog.LevelWarn) {
		t.Error("the level is not kept to")
	}
}

func TestBuildVersionIsNeverEmpty(t *testing.T) {
	if buildVersion() == "" {
		t.Error("the User-Agent would end in a slash")
	}
	defer func(was string) { version = was }(version)
	version = "v1.2.3"
	if got := buildVersion(); got != "v1.2.3" {
		t.Errorf("buildVersion = %q, want what the build set", got)
	}
}
