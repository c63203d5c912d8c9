// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"servicestage.dev/operator/api/v1alpha1"
	"servicestage.dev/operator/test/bench/figures"
	"servicestage.dev/operator/test/rig"
)

// configuration measures how soon a configuration item that was changed in an engine is set right, and what an engine costs at
// rest (P5, P14).
func (b *bench) configuration(ctx context.Context) (err error) {
	b.progress("configuration items of an engine")
	w, err := newWorld(ctx, b.bin, b.seed)
	if err != nil {
		return err
	}
	defer func() { err = closing(err, w.stop) }()
	e, err := w.startEngine(ctx)
	if err != nil {
		return err
	}
	defer e.http.CloseIdleConnections()
	const sets = 10
	keys, err := w.keepItems(ctx, e.url, sets, b.samples)
	if err != nil {
		return err
	}
	if err := w.sim.ResetCalls(ctx); err != nil {
		return err
	}
	if err := pass(ctx, b.interval); err != nil {
		return err
	}
	log, err := w.sim.Calls(ctx)
	if err != nil {
		return err
	}
	// A long poll takes up to a minute: an interval holds the end of one at most.
	b.record(figures.Figure{Metric: "P5", What: "requests to an engine per interval", N: sets, Value: float64(len(log)), Unit: "calls", Floor: new(1.0), Want: figures.Counted(1)})
	ids, err := e.ids(ctx)
	if err != nil {
		return err
	}
	var took []time.Duration
	for _, key := range keys { // one of each set: who edits the same set again and again is met ever more slowly
		began := time.Now()
		if err := e.call(ctx, http.MethodPut, "/"+ids[key], map[string]string{"value": "drifted"}, nil); err != nil {
			return err
		}
		err := until(ctx, key+" is set right", func(ctx context.Context) (bool, error) {
			var is struct{ Value string }
			err := e.call(ctx, http.MethodGet, "/"+ids[key], nil, &is)
			return is.Value == kept, err
		})
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
	}
	b.record(figures.Figure{Metric: "P14", What: "an item changed in the engine is set right after, p99", N: sets, Value: percentile(took, 99).Seconds(), Unit: "s", Want: figures.AtMost(2)})
	return nil
}

// kept is the value of every item.
const kept = "as it should be"

// keepItems starts a manager and KieConfigs of n items each, waits until all are Ready, and returns a key of each.
func (w *world) keepItems(ctx context.Context, kie string, sets, n int) ([]string, error) {
	if _, err := w.startAndAwaitAccount(ctx, "--allow-endpoint-host="+w.sim.URL+","+kie); err != nil {
		return nil, err
	}
	var keys []string
	for _, set := range names("set", sets) {
		config := &v1alpha1.KieConfig{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: set}}
		config.Spec.Endpoint = &v1alpha1.KieEndpoint{Kie: kie}
		config.Spec.TLS = &v1alpha1.TLS{InsecureSkipVerify: true}
		for _, name := range names(set, n) {
			config.Spec.Items = append(config.Spec.Items, v1alpha1.KieItem{Key: name, Value: new(kept)})
		}
		if err := w.api.Create(ctx, config); err != nil {
			return nil, err
		}
		err := until(ctx, set+" is Ready", func(ctx context.Context) (bool, error) {
			err := w.api.Get(ctx, client.ObjectKeyFromObject(config), config)
			return meta.IsStatusConditionTrue(config.Status.Conditions, v1alpha1.ConditionReady), err
		})
		if err != nil {
			return nil, err
		}
		keys = append(keys, config.Spec.Items[0].Key)
	}
	return keys, nil
}

// engine is a simulated engine without accounts, as somebody else calls it.
type engine struct {
	url  string
	http *http.Client
}

// startEngine puts an engine into the simulated cloud.
func (w *world) startEngine(ctx context.Context) (*engine, error) {
	err := w.sim.Put(ctx, "cse/engines", "engine-1", rig.Record{
		"name": "engine", "status": "Available", "spec_type": "CSE2", "flavor": "cse.s1.small2", "auth_type": "NONE",
	})
	if err != nil {
		return nil, err
	}
	engines, err := w.sim.Engines(ctx)
	if err != nil {
		return nil, err
	}
	if len(engines) != 1 {
		return nil, fmt.Errorf("%d engines in the simulated cloud, want one", len(engines))
	}
	// The simulated engine signs its certificate itself.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	return &engine{url: engines[0].Kie, http: &http.Client{Timeout: 30 * time.Second, Transport: transport}}, nil
}

// ids maps the keys of the items that there are to their ids.
func (e *engine) ids(ctx context.Context) (map[string]string, error) {
	var list struct {
		Data []struct{ ID, Key string }
	}
	err := e.call(ctx, http.MethodGet, "", nil, &list)
	ids := map[string]string{}
	for _, item := range list.Data {
		ids[item.Key] = item.ID
	}
	return ids, err
}

// call calls the engine's Kie.
func (e *engine) call(ctx context.Context, method, path string, body, out any) error {
	var payload io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, e.url+"/v1/default/kie/kv"+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	reply, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, reply)
	case out == nil:
		return nil
	}
	return json.Unmarshal(reply, out)
}
