// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package security

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"servicestage.dev/operator/test/rig"
)

const (
	mib = 1 << 20
	// maxGrowth is by how much hostile replies may let the manager's memory grow, in bytes. A dozen calls at a time read at
	// most 8 MiB each, in buffers that double; one bomb that is read to its end is a GiB.
	maxGrowth = 500 * mib
)

// hostile are replies that no well-meaning server gives, by the first element of the path that asks for them.
var hostile = map[string]struct {
	reply func(http.ResponseWriter)
	// says is a part of what users are told.
	says string
}{
	"large": {func(w http.ResponseWriter) {
		_, _ = fmt.Fprintf(w, `{"environments":[],"data":[],"x":%q}`, strings.Repeat("x", 10*mib))
	}, "larger than 8 MiB"},
	"bomb":             {func(w http.ResponseWriter) { zipped(w, http.StatusOK) }, "larger than 8 MiB"},
	"bomb-in-an-error": {func(w http.ResponseWriter) { zipped(w, http.StatusBadRequest) }, "not JSON"},
	"nested": {func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"environments":`+strings.Repeat("[", mib)+strings.Repeat("]", mib)+"}")
	}, "not the expected JSON"},
	"nested-in-an-error": {func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"error":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+"}")
	}, "not JSON"},
	"other-types": {func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"count":"many","total":{},"environments":{"id":7},"data":"none"}`)
	}, ""},
	"nothing": {func(http.ResponseWriter) {}, "empty body"},
	"null":    {func(w http.ResponseWriter) { _, _ = io.WriteString(w, "null") }, ""},
	"binary":  {func(w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte{0, 0xff, 0x1b, '\n'}, 1000)) }, "not the expected JSON"},
	"headers": {func(w http.ResponseWriter) {
		w.Header().Set("X-Big", strings.Repeat("x", mib))
	}, "connection"},
	"cut": {func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, `{"environments":[`)
	}, "closed before the reply was complete"},
}

// zipped writes a few hundred KiB that are a GiB once unpacked.
func zipped(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	_, _ = w.Write(bomb)
}

var bomb = func() []byte {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		panic(err)
	}
	blank := bytes.Repeat([]byte(" "), mib)
	for range 1024 {
		if _, err := zip.Write(blank); err != nil {
			panic(err)
		}
	}
	if err := zip.Close(); err != nil {
		panic(err)
	}
	return packed.Bytes()
}()

var _ = Describe("A hostile cloud", func() {
	It("is told of in a condition, takes bounded memory and time, and holds nobody else up", func(ctx context.Context) {
		keys := rig.Keys{AccessKey: "HOSTILEKEY", SecretKey: "hostile-secret-key"}
		w := newWorld(ctx, keys)
		var dripping atomic.Int32
		w.way.answers(func(out http.ResponseWriter, r *http.Request) bool {
			_, path, _ := strings.Cut(r.URL.Path, "/")
			name, _, _ := strings.Cut(path, "/")
			if name == "drip" {
				dripping.Add(1)
				drip(out, r)
				return true
			}
			kind, found := hostile[name]
			if found {
				kind.reply(out)
			}
			return found
		})
		w.startManager(ctx, []string{w.namespace}, nil)
		before := w.memory(ctx)
		peak, stop := w.watchMemory(ctx)
		apply(ctx, w.namespace, `{kind: Secret, apiVersion: v1, metadata: {name: keys}, stringData: {accessKey: HOSTILEKEY, secretKey: hostile-secret-key}}`)

		attacked := func(name string) []*unstructured.Unstructured {
			GinkgoHelper()
			url := w.way.URL + "/" + name
			return append(apply(ctx, w.namespace, manifest("CloudAccount", name, fmt.Sprintf(overridden, url))),
				apply(ctx, w.namespace, manifest("KieConfig", name, fmt.Sprintf("{endpoint: {kie: %q}, items: [{key: a, value: b}]}", url)))...)
		}
		slow := attacked("drip")
		objects := map[string][]*unstructured.Unstructured{}
		for name := range hostile {
			objects[name] = attacked(name)
		}
		for name, kind := range hostile {
			eventually(ctx, objects[name][:1], " ") // an account only looks at how a call ends
			eventually(ctx, objects[name][1:], "False ", kind.says)
		}

		By("Working for somebody else meanwhile")
		eventually(ctx, apply(ctx, w.namespace, manifest("CloudAccount", "default", fmt.Sprintf(overridden, w.way.URL))), "True")
		eventually(ctx, apply(ctx, w.namespace, manifest("Environment", "well", `{vpcID: vpc-1}`)), "True")
		Expect(dripping.Load()).To(BeNumerically(">", 0))

		By("Waiting for the calls that are answered byte by byte to be given up")
		for _, object := range slow {
			Eventually(func() (string, error) { return ready(ctx, object) }).WithContext(ctx).WithTimeout(45*time.Second).
				Should(And(HavePrefix("False "), ContainSubstring("did not answer in time")), object.GetKind())
		}
		stop()
		Expect(peak.Load()-before).To(BeNumerically("<", maxGrowth), "bytes by which the manager's memory grew")
		log, err := w.manager.Log()
		Expect(err).NotTo(HaveOccurred())
		Expect(log).NotTo(ContainSubstring("panic"))
	}, SpecTimeout(90*time.Second))
})

// drip answers with a byte now and then, for as long as somebody listens.
func drip(out http.ResponseWriter, r *http.Request) {
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		if _, err := io.WriteString(out, " "); err != nil {
			return
		}
		if err := http.NewResponseController(out).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticker.C:
		}
	}
}

// memory is what the manager occupies, in bytes, as its metrics say. They are served a moment after the probes.
func (w *world) memory(ctx context.Context) (bytes int64) {
	GinkgoHelper()
	Eventually(func() (err error) {
		bytes, err = w.residentMemory(ctx)
		return err
	}).WithContext(ctx).Should(Succeed())
	return bytes
}

func (w *world) residentMemory(ctx context.Context) (int64, error) {
	bytes, err := w.sumOfMetric(ctx, "process_resident_memory_bytes")
	if err == nil && bytes == 0 {
		err = errors.New("the manager does not say what memory it occupies")
	}
	return int64(bytes), err
}

// sumOfMetric adds up the manager's series that begin so.
func (w *world) sumOfMetric(ctx context.Context, series string) (float64, error) {
	metrics, err := w.manager.Metrics(ctx)
	sum := 0.0
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, series) {
			value, parseErr := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			err = errors.Join(err, parseErr)
			sum += value
		}
	}
	return sum, err
}

// watchMemory keeps the highest of many looks at the manager's memory, until what it returns is called.
func (w *world) watchMemory(ctx context.Context) (*atomic.Int64, func()) {
	peak := &atomic.Int64{}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(done)
		for ctx.Err() == nil {
			bytes, err := w.residentMemory(ctx)
			if ctx.Err() == nil {
				Expect(err).NotTo(HaveOccurred())
			}
			peak.Store(max(peak.Load(), bytes))
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return peak, func() {
		cancel()
		<-done
	}
}
