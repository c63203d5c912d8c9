// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxWait is the longest long poll.
	maxWait = 5 * time.Minute

	maxPage = 100
)

// Codes of Kie.
const (
	codeInvalid  = "400001"
	codeObserve  = "400003"
	codeSkipped  = "400004"
	codeStopped  = "400005"
	codeForbid   = "403205"
	codeMissing  = "404001"
	codeExists   = "409001"
	codeQuota    = "422001"
	codeInternal = "500001"
)

var kieMessages = map[string]string{
	codeInvalid: "invalid parameter(s)", codeObserve: "failed to observe event", codeMissing: "record does not exist",
	codeExists: "record already exist", codeQuota: "quota is not enough", codeInternal: "internal server error",
}

// document is an item as Kie shows it.
type document struct {
	ID             string            `json:"id"`
	LabelFormat    string            `json:"label_format,omitempty"`
	Key            string            `json:"key"`
	Value          string            `json:"value"`
	ValueType      string            `json:"value_type"`
	Priority       int               `json:"priority,omitempty"`
	CreateRevision int64             `json:"create_revision"`
	UpdateRevision int64             `json:"update_revision"`
	Project        string            `json:"project,omitempty"`
	Status         string            `json:"status"`
	CreateTime     any               `json:"create_time"`
	UpdateTime     any               `json:"update_time"`
	Labels         map[string]string `json:"labels,omitempty"`
	Domain         string            `json:"domain,omitempty"`
}

func documentOf(item Item, quirks Quirks) document {
	return document{
		ID: item.ID, Key: item.Key, Value: item.Value, ValueType: item.ValueType, Priority: item.Priority,
		CreateRevision: item.CreateRevision, UpdateRevision: item.UpdateRevision, Status: item.Status,
		CreateTime: timeOf(item.CreateTime, quirks), UpdateTime: timeOf(item.UpdateTime, quirks), Labels: item.Labels,
	}
}

func timeOf(seconds int64, quirks Quirks) any {
	switch quirks.Times {
	case "string":
		return strconv.FormatInt(seconds, 10)
	case "millis":
		return seconds * 1000
	}
	return seconds
}

// page is the body of a list.
type page struct {
	Total int        `json:"total"`
	Data  []document `json:"data"`
}

func pageOf(found []Item, quirks Quirks) page {
	p := page{Total: len(found), Data: make([]document, len(found))}
	for i, item := range found {
		p.Data[i] = documentOf(item, quirks)
	}
	return p
}

func (x *exchange) json(body any) response {
	return response{status: http.StatusOK, header: contentType("application/json"), body: marshal(body, " ")}
}

// written is the answer of a POST or PUT.
func (x *exchange) written(item Item) response {
	if x.quirks.Wrap {
		return x.json(map[string]any{"kie": documentOf(item, x.quirks)})
	}
	return x.json(documentOf(item, x.quirks))
}

// kieError words an error as Kie does; the first three digits of a code are the status.
func (x *exchange) kieError(code, detail string) response {
	status, err := strconv.Atoi(code[:3])
	if err != nil {
		status = http.StatusInternalServerError
	}
	var body any = struct {
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
		Detail  string `json:"detail"`
	}{code, kieMessages[code], detail}
	if x.quirks.SnakeErrors {
		body = struct {
			Code    string `json:"error_code"`
			Message string `json:"error_message"`
			Detail  string `json:"detail"`
		}{code, kieMessages[code], detail}
	}
	answer := x.json(body)
	answer.status = status
	return answer
}

func (x *exchange) missingItem() response {
	return x.kieError(codeMissing, "can not find any key value")
}

func (x *exchange) forbidden(resource, verb string) response {
	return x.kieError(codeForbid, fmt.Sprintf("No permission(s)(role has no permissions[%s:%s])", resource, verb))
}

// read decodes the body; the answer is the refusal, nil for none.
func (x *exchange) read(into any) *response {
	mediaType, _, _ := strings.Cut(x.request.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), "application/json") {
		refused := plain(http.StatusUnsupportedMediaType, "415: Unsupported Media Type")
		return &refused
	}
	if err := decode(x.body, into); err != nil {
		refused := x.kieError(codeInvalid, "decode request body failed: "+err.Error())
		return &refused
	}
	return nil
}

func decode(body []byte, into any) error {
	return json.NewDecoder(strings.NewReader(string(body))).Decode(into)
}

// acceptable refuses a client that takes no JSON.
func (x *exchange) acceptable() *response {
	accept := x.request.Header.Get("Accept")
	if accept == "" {
		return nil
	}
	for wanted := range strings.SplitSeq(accept, ",") {
		mediaType, _, _ := strings.Cut(wanted, ";")
		if slices.Contains([]string{"*/*", "application/*", "application/json"}, strings.TrimSpace(mediaType)) {
			return nil
		}
	}
	refused := plain(http.StatusNotAcceptable, "406: Not Acceptable\n\nAvailable representations: application/json")
	return &refused
}

func (e *Engine) now() int64 { return e.clock.Now().Unix() }

// health is GET /v1/health.
func (e *Engine) health(x *exchange) response {
	revision, total := e.items.state()
	return x.json(struct {
		Version   string `json:"version"`
		Revision  string `json:"revision"`
		Timestamp int64  `json:"timestamp"`
		Total     int    `json:"total_kv_count"`
	}{"0.1.0", strconv.FormatInt(revision, 10), e.now(), total})
}

// itemInput is the body of a POST. Fields that Kie does not know are ignored, a given id too.
type itemInput struct {
	Key       string            `json:"key"`
	Value     string            `json:"value"`
	ValueType string            `json:"value_type"`
	Status    string            `json:"status"`
	Priority  int               `json:"priority"`
	Labels    map[string]string `json:"labels"`
}

func (in itemInput) item(project string) Item {
	return Item{
		Project: project, Key: in.Key, Value: in.Value, ValueType: in.ValueType, Status: in.Status, Priority: in.Priority, Labels: in.Labels,
	}
}

// createItem is 8.7.1.
func (e *Engine) createItem(x *exchange) response {
	var input itemInput
	if refused := x.read(&input); refused != nil {
		return *refused
	}
	item := input.item(x.params["project"])
	if wrong := checkItem(item); wrong != "" {
		return x.kieError(codeInvalid, "invalid parameter(s)("+wrong+")")
	}
	if !x.account.may("config", "create") && !e.items.exists(item) {
		// Seen in the transcript: the revision has been taken by then.
		e.items.bump()
		return x.forbidden("config", "create")
	}
	created, err := e.items.create(item, e.now(), x.quirks.ItemQuota)
	switch {
	case err == nil:
		return x.written(created)
	case errors.Is(err, ErrQuota):
		return x.kieError(codeQuota, ErrQuota.Error())
	default:
		return x.kieError(codeExists, "record already exist(kv already exists)")
	}
}

// updateItem is 8.7.2: value and status alone, an empty one is no change.
func (e *Engine) updateItem(x *exchange) response {
	var input struct {
		Value  string `json:"value"`
		Status string `json:"status"`
	}
	if refused := x.read(&input); refused != nil {
		return *refused
	}
	id := x.params["kv_id"]
	if wrong := checkUpdate(id, input.Value, input.Status); wrong != "" {
		return x.kieError(codeInvalid, wrong)
	}
	if !x.account.may("config", "update") {
		return x.forbidden("config", "update")
	}
	updated, ok := e.items.update(x.params["project"], id, input.Value, input.Status, e.now())
	if !ok {
		return x.missingItem()
	}
	return x.written(updated)
}

// getItem is 8.7.3.
func (e *Engine) getItem(x *exchange) response {
	if refused := x.acceptable(); refused != nil {
		return *refused
	}
	if wrong := checkID("GetKVRequest", x.params["kv_id"]); wrong != "" {
		return x.kieError(codeInvalid, wrong)
	}
	if !x.account.may("config", "get") {
		return x.forbidden("config", "get")
	}
	item, ok := e.items.get(x.params["project"], x.params["kv_id"])
	if !ok {
		return x.missingItem()
	}
	shown := documentOf(item, x.quirks)
	shown.LabelFormat = labelFormat(item.Labels)
	return x.json(shown)
}

// deleteItem is 8.7.5.
func (e *Engine) deleteItem(x *exchange) response {
	if !x.account.may("config", "delete") {
		return x.forbidden("config", "delete")
	}
	if e.items.remove(x.params["project"], []string{x.params["kv_id"]}) == 0 {
		return x.missingItem()
	}
	if x.quirks.DeleteOK {
		return response{status: http.StatusOK}
	}
	return response{status: http.StatusNoContent}
}

// deleteItems is 8.7.6: 204 whatever it finds.
func (e *Engine) deleteItems(x *exchange) response {
	var input struct {
		IDs []string `json:"ids"`
	}
	if refused := x.read(&input); refused != nil {
		return *refused
	}
	if x.account.may("config", "delete") {
		e.items.remove(x.params["project"], input.IDs)
	}
	return response{status: http.StatusNoContent}
}

// listQuery is the query of a list, read.
type listQuery struct {
	selector
	limit, offset int
	// revision is what the client knows, -1 for nothing.
	revision int64
	wait     time.Duration
	waits    bool
}

// parseList reads the query; the answer is the refusal, nil for none.
func (x *exchange) parseList() (listQuery, *response) {
	refuse := func(code, detail string) (listQuery, *response) {
		refused := x.kieError(code, detail)
		return listQuery{}, &refused
	}
	q := listQuery{limit: math.MaxInt, revision: -1}
	labels, ok := parseLabels(x.query["label"])
	if !ok {
		return refuse(codeInvalid, "label value can not be empty, label can not be duplicated, please check query parameters")
	}
	q.selector = selector{
		project: x.params["project"], key: keyPattern(x.query.Get("key")), value: x.query.Get("value"), status: x.query.Get("status"),
		labels: labels, exact: x.query.Get("match") == "exact",
	}
	for _, number := range []struct {
		name string
		low  int
		high int
		into *int
	}{{"limit", 1, maxPage, &q.limit}, {"offset", 0, math.MaxInt, &q.offset}} {
		text := x.query.Get(number.name)
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < number.low || n > number.high {
			return refuse(codeInvalid, "invalid "+number.name+" number")
		}
		*number.into = n
	}
	var wrong violations
	wrong.pattern("ListKVRequest.Status", q.status, statusRule)
	if len(wrong) > 0 {
		return refuse(codeInvalid, wrong.text())
	}
	if text := x.query.Get("revision"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return refuse(codeInvalid, "revision param should be formed with number greater than 0")
		}
		q.revision = n
	}
	if text := x.query.Get("wait"); text != "" && !x.quirks.NoWait {
		d, err := time.ParseDuration(text)
		if err != nil {
			return refuse(codeInvalid, err.Error())
		}
		q.wait, q.waits = d, true
	}
	return q, nil
}

// parseLabels reads label=KEY:VALUE; of a key that is there twice the last counts.
func parseLabels(list []string) (map[string]string, bool) {
	labels := map[string]string{}
	for _, text := range list {
		key, value, ok := strings.Cut(text, ":")
		if !ok || key == "" || strings.Contains(value, ":") {
			return nil, false
		}
		labels[key] = value
	}
	return labels, true
}

// keyPattern is the filter on keys: a whole key, beginWith(x) or wildcard(x*). It ignores case, as the server does.
func keyPattern(key string) *regexp.Regexp {
	if key == "" {
		return nil
	}
	argument := func(name string) (string, bool) {
		rest, ok := strings.CutPrefix(key, name+"(")
		return strings.TrimSuffix(rest, ")"), ok
	}
	pattern := regexp.QuoteMeta(key)
	if prefix, ok := argument("beginWith"); ok {
		pattern = regexp.QuoteMeta(prefix) + ".*"
	} else if glob, ok := argument("wildcard"); ok {
		pattern = strings.ReplaceAll(regexp.QuoteMeta(glob), `\*`, ".*")
	}
	return regexp.MustCompile("(?i)^" + pattern + "$")
}

// listItems is 8.7.4, with the conditional list and the long poll that the reference does not have.
func (e *Engine) listItems(x *exchange) response {
	q, refused := x.parseList()
	if refused != nil {
		return *refused
	}
	revision, _ := e.items.state()
	switch {
	case q.revision >= 0 && q.revision != revision:
		// What the client knows is old: there is nothing to wait for.
	case q.waits && x.query.Get("key") != "":
		return x.kieError(codeInvalid, "can not accept key params, when using wait")
	case q.waits && q.wait > maxWait:
		return x.kieError(codeObserve, "wait param should be formed with number and time unit like 5s,100ms, and less than 5m")
	case q.waits:
		if !e.await(x, q) {
			return response{status: http.StatusNotModified}
		}
	case q.revision >= 0:
		return response{status: http.StatusNotModified}
	}
	return e.found(x, q)
}

// await returns whether something that the list may show has changed within the wait.
func (e *Engine) await(x *exchange, q listQuery) bool {
	w, waits := e.items.watch(q.selector, q.revision)
	if !waits {
		return true
	}
	defer e.items.unwatch(w)
	over := make(chan struct{})
	timer := e.clock.AfterFunc(q.wait, func() { close(over) })
	defer timer.Stop()
	select {
	case <-w.woken:
		return true
	case <-over:
	case <-x.request.Context().Done():
	}
	return false
}

func (e *Engine) found(x *exchange, q listQuery) response {
	found, revision := e.items.list(q.selector)
	if !x.account.may("config", "get") {
		found = nil
	}
	p := pageOf(found, x.quirks)
	from := min(q.offset, len(p.Data))
	p.Data = p.Data[from : from+min(q.limit, len(p.Data)-from)]
	answer := x.json(p)
	answer.header.Set("X-Kie-Revision", strconv.FormatInt(revision, 10))
	return answer
}

// itemHistory is GET /v1/{project}/kie/revision/{kv_id}: an item that is not there is the server's own fault.
func (e *Engine) itemHistory(x *exchange) response {
	found := e.items.revisions(x.params["project"], x.params["kv_id"])
	if len(found) == 0 || !x.account.may("config", "get") {
		return x.kieError(codeInternal, "internal server error")
	}
	p := pageOf(found, x.quirks)
	for i := range p.Data {
		p.Data[i].LabelFormat = labelFormat(found[i].Labels)
		p.Data[i].Project, p.Data[i].Domain = found[i].Project, domain
	}
	return x.json(p)
}

// track is GET /v1/{project}/kie/track; what clients poll is not recorded.
func (e *Engine) track(x *exchange) response {
	return x.kieError(codeMissing, "can not find any polling data")
}
