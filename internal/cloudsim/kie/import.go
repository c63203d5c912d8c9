// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
)

// Override says what an import does with an item that is there already.
type Override string

// The values of the query parameter override (7.2.1).
const (
	// OverrideForce changes it.
	OverrideForce Override = "force"
	// OverrideSkip leaves it and goes on.
	OverrideSkip Override = "skip"
	// OverrideAbort leaves it and everything after it.
	OverrideAbort Override = "abort"
)

// Failure is an item that was not imported.
type Failure struct {
	Key     string            `json:"key"`
	Labels  map[string]string `json:"labels"`
	Code    int               `json:"error_code"`
	Message string            `json:"error_message"`
}

func failureOf(item Item, code, message string) Failure {
	number, err := strconv.Atoi(code)
	if err != nil {
		panic("kie: a code is not a number: " + code)
	}
	return Failure{Key: item.Key, Labels: item.Labels, Code: number, Message: message}
}

// Import creates items in their order. What fails does not undo what went before. Each item that is written takes a
// revision.
func (e *Engine) Import(list []Item, override Override) ([]Item, []Failure) {
	success, failures := []Item{}, []Failure{}
	for i, item := range list {
		written, failure := e.importItem(item, override)
		switch {
		case failure == nil:
			success = append(success, written)
		case strconv.Itoa(failure.Code) == codeStopped:
			for _, rest := range list[i:] {
				failures = append(failures, failureOf(rest, codeStopped, failure.Message))
			}
			return success, failures
		default:
			failures = append(failures, *failure)
		}
	}
	return success, failures
}

func (e *Engine) importItem(item Item, override Override) (Item, *Failure) {
	fail := func(code, message string) (Item, *Failure) {
		failure := failureOf(item, code, message)
		return Item{}, &failure
	}
	if wrong := checkItem(item); wrong != "" {
		return fail(codeInvalid, wrong)
	}
	created, err := e.items.create(item, e.now(), e.quirks().ItemQuota)
	switch {
	case err == nil:
		return created, nil
	case errors.Is(err, ErrQuota):
		return fail(codeQuota, err.Error())
	case override == OverrideSkip:
		return fail(codeSkipped, "skip overriding duplicate kvs")
	case override == OverrideAbort:
		return fail(codeStopped, "stop overriding kvs after reaching the duplicate kv")
	}
	updated, ok := e.items.update(item.Project, ItemID(item.Project, item.Key, item.Labels), item.Value, item.Status, e.now())
	if !ok {
		// Deleted between the two steps.
		return fail(codeMissing, fmt.Sprintf("%s is gone", item.Key))
	}
	return updated, nil
}

// importItems is the open-source import: a JSON body. The cloud's multipart form is the gateway's.
func (e *Engine) importItems(x *exchange) response {
	var input struct {
		Data []*itemInput `json:"data"`
	}
	if refused := x.read(&input); refused != nil {
		return *refused
	}
	override := Override(x.query.Get("override"))
	switch override {
	case "":
		return x.kieError(codeInvalid, "Query parameter 'override' is required")
	case OverrideForce, OverrideSkip, OverrideAbort:
	default:
		return plain(http.StatusInternalServerError, "server got a panic, plz check log.")
	}
	if !x.account.may("config", "create") {
		return x.forbidden("config", "create")
	}
	var list []Item
	for _, in := range input.Data {
		if in != nil {
			list = append(list, in.item(x.params["project"]))
		}
	}
	success, failures := e.Import(list, override)
	return x.json(struct {
		Success []document `json:"success"`
		Failure []Failure  `json:"failure"`
	}{pageOf(success, x.quirks).Data, failures})
}
