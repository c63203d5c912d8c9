// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"servicestage.dev/operator/test/rig"
)

// trap is a server that nobody may call: its address, and how often somebody did.
func trap() (string, *atomic.Int32) {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(listener.Close)
	calls := &atomic.Int32{}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			calls.Add(1)
			_ = connection.Close()
		}
	}()
	return listener.Addr().String(), calls
}

const overridden = `{region: ap-southeast-3, projectID: ` + project + `, credentials: {secretRef: {name: keys}}, endpoints: {servicestage: %q}}`

var _ = Describe("An endpoint", func() {
	It("leads nowhere that the operator's flag does not name", func(ctx context.Context) {
		keys := rig.Keys{AccessKey: "SSRFKEY", SecretKey: "ssrf-secret-key"}
		w := newWorld(ctx, keys)
		address, calls := trap()
		_, port, err := net.SplitHostPort(address)
		Expect(err).NotTo(HaveOccurred())
		w.way.answers(func(out http.ResponseWriter, r *http.Request) bool {
			if strings.HasPrefix(r.URL.Path, "/redirect/") {
				http.Redirect(out, r, "http://"+address+"/latest/meta-data", http.StatusTemporaryRedirect)
				return true
			}
			return false
		})
		// Behind a proxy no address can be checked, and a proxy of the environment would get every key.
		w.startManager(ctx, []string{w.namespace}, []string{"HTTP_PROXY=http://" + address, "HTTPS_PROXY=http://" + address, "http_proxy=http://" + address},
			"--allow-endpoint-host=http://cloud.invalid")
		apply(ctx, w.namespace, `{kind: Secret, apiVersion: v1, metadata: {name: keys}, stringData: {accessKey: SSRFKEY, secretKey: ssrf-secret-key}}`)

		n := 0
		expect := func(kind, spec string, words ...string) {
			GinkgoHelper()
			n++
			eventually(ctx, apply(ctx, w.namespace, manifest(kind, fmt.Sprintf("subject-%d", n), spec)), append(words, "False ")...)
		}
		for url, why := range map[string]string{
			"http://169.254.169.254/latest":        "never called",
			"https://[fd00:ec2::254]":              "never called",
			"https://[::ffff:169.254.169.254]":     "never called",
			"https://100.100.100.200":              "never called",
			"https://169.254.169.254.":             "odd spelling",
			"https://2852039166":                   "odd spelling",
			"https://127.0.0.1:" + port:            "--allow-endpoint-host",
			"http://127.0.0.1:" + port:             "--allow-endpoint-host",
			"http://[::ffff:127.0.0.1]:" + port:    "--allow-endpoint-host",
			"https://localhost:" + port:            "--allow-endpoint-host",
			"https://10.0.0.1":                     "--allow-endpoint-host",
			"https://kubernetes.default.svc":       "--allow-endpoint-host",
			"https://iam.myhuaweicloud.com.evil.x": "--allow-endpoint-host",
		} {
			expect("CloudAccount", fmt.Sprintf(overridden, url), "Rejected", "spec.endpoints.servicestage", why)
			expect("KieConfig", fmt.Sprintf("{endpoint: {kie: %q}, items: [{key: a, value: b}]}", url), "Rejected", "spec.endpoint.kie", why)
		}
		expect("CloudAccount", fmt.Sprintf(overridden, "http://cloud.invalid"), "does not resolve")
		expect("CloudAccount", fmt.Sprintf(overridden, w.way.URL+"/redirect"), "redirect", "not followed")
		Expect(calls.Load()).To(BeZero(), "the trap was called")
	}, SpecTimeout(time.Minute))

	It("that the cloud tells leads into the cloud's networks, and not to the operator's own host", func(ctx context.Context) {
		keys := rig.Keys{AccessKey: "TOLDKEY", SecretKey: "told-secret-key"}
		w := newWorld(ctx, keys)
		w.startManager(ctx, []string{w.namespace}, nil)
		objects := apply(ctx, w.namespace, whole, "{n}", "ours", "{accessKey}", keys.AccessKey, "{secretKey}", keys.SecretKey, "{url}", w.way.URL,
			"{engine}", engine("rootPasswordSecretRef: {name: ours-password}, accountRef: {name: ours}"), "{here}", w.namespace)
		eventually(ctx, objects[len(objects)-1:], "True")
		config := apply(ctx, w.namespace, manifest("KieConfig", "inwards", `{engineRef: {name: ours}, tls: {insecureSkipVerify: true}, items: [{key: a, value: b}]}`))
		eventually(ctx, config, "False Rejected", "loopback", "--allow-endpoint-host")
		calls, err := w.sim.Calls(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(calls).NotTo(ContainElement(HaveField("Path", "/v4/token")))
	}, SpecTimeout(time.Minute))
})
