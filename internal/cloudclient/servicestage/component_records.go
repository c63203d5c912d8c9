// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"cmp"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ComponentRecord is one deployment of a component (API reference 5.3.8, table 5-239).
type ComponentRecord struct {
	// InstanceID identifies the deployed instance, not the record.
	InstanceID string
	// Version can be rolled back to.
	Version     string
	Description string
	// Status is what became of the deployment, in the cloud's words, in upper case.
	Status string
	// DeployType is "OneBatchRelease", "RollingRelease" or "GrayRelease".
	DeployType string
	// Current says whether this is what runs.
	Current bool
	// BeginTime and EndTime are milliseconds since the epoch; 0 where there is none.
	BeginTime, EndTime int64
	// JobID is the last of Jobs, empty where there is none.
	JobID string
	// Jobs carried the deployment out, in order. A gray release has several.
	Jobs []RecordJob
}

// RecordJob is one job of a deployment (tables 5-240 and 5-241).
type RecordJob struct {
	Sequence   int
	JobID      string
	DeployType string
	SourceURL  string
	// FirstBatchWeight is in percent.
	FirstBatchWeight, FirstBatchReplica int
	Replica, RemainingBatch             int
}

// UnmarshalJSON reads a record of the list.
func (r *ComponentRecord) UnmarshalJSON(data []byte) error {
	var record struct {
		InstanceID  text         `json:"instance_id"`
		Version     text         `json:"version"`
		Description text         `json:"description"`
		Status      text         `json:"status"`
		DeployType  text         `json:"deploy_type"`
		CurrentUsed boolean      `json:"current_used"`
		BeginTime   millis       `json:"begin_time"`
		EndTime     millis       `json:"end_time"`
		Jobs        []*RecordJob `json:"jobs"`
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	*r = ComponentRecord{
		InstanceID: string(record.InstanceID), Version: string(record.Version), Description: string(record.Description),
		Status: upper(record.Status), DeployType: string(record.DeployType), Current: bool(record.CurrentUsed),
		BeginTime: int64(record.BeginTime), EndTime: int64(record.EndTime),
	}
	for _, job := range present(record.Jobs) {
		r.Jobs = append(r.Jobs, *job)
	}
	slices.SortStableFunc(r.Jobs, func(a, b RecordJob) int { return cmp.Compare(a.Sequence, b.Sequence) })
	if len(r.Jobs) > 0 {
		r.JobID = r.Jobs[len(r.Jobs)-1].JobID
	}
	return nil
}

// UnmarshalJSON reads a job of a record.
func (j *RecordJob) UnmarshalJSON(data []byte) error {
	var record struct {
		Sequence   integer `json:"sequence"`
		DeployType text    `json:"deploy_type"`
		JobID      text    `json:"job_id"`
		Info       struct {
			DeployType        text    `json:"deploy_type"`
			SourceURL         text    `json:"source_url"`
			FirstBatchWeight  integer `json:"first_batch_weight"`
			FirstBatchReplica integer `json:"first_batch_replica"`
			Replica           integer `json:"replica"`
			RemainingBatch    integer `json:"remaining_batch"`
			RemainingBatches  integer `json:"remaining_batches"` // its name in other tables
		} `json:"job_info"`
	}
	if err := json.Unmarshal(data, &record); err != nil {
		return err
	}
	info := record.Info
	*j = RecordJob{
		Sequence: int(record.Sequence), JobID: string(record.JobID), SourceURL: string(info.SourceURL),
		DeployType:       string(cmp.Or(record.DeployType, info.DeployType)),
		FirstBatchWeight: int(info.FirstBatchWeight), FirstBatchReplica: int(info.FirstBatchReplica),
		Replica: int(info.Replica), RemainingBatch: int(cmp.Or(info.RemainingBatch, info.RemainingBatches)),
	}
	return nil
}

// identity tells records apart; they have no id.
func (r *ComponentRecord) identity() string {
	parts := []string{r.InstanceID, r.Version, strconv.FormatInt(r.BeginTime, 10)}
	for _, job := range r.Jobs {
		parts = append(parts, job.JobID)
	}
	return strings.Join(parts, "\n")
}

// ListComponentRecords yields the deployments of a component (5.3.8), the newest first, each once. Stopping early saves
// the calls for the rest. An error ends the list: of class NotFound where the component is gone for certain.
func (c *Client) ListComponentRecords(ctx context.Context, applicationID, id string) iter.Seq2[*ComponentRecord, error] {
	const operation = "ListComponentRecords"
	list := pager[ComponentRecord]{
		operation: operation, size: maxPage, id: (*ComponentRecord).identity,
		fetch: func(ctx context.Context, query url.Values) (page[ComponentRecord], error) {
			var out struct {
				Count   int                `json:"count"`
				Records []*ComponentRecord `json:"records"`
			}
			err := c.do(ctx, operation, http.MethodGet, componentPath(applicationID, id)+"/records", query, nil, &out)
			return page[ComponentRecord]{items: present(out.Records), count: out.Count}, err
		},
	}.all(ctx, url.Values{"order": {"desc"}})
	return func(yield func(*ComponentRecord, error) bool) {
		if err := checkComponentIDs(applicationID, id); err != nil {
			yield(nil, err)
			return
		}
		for record, err := range list {
			if !yield(record, c.confirmComponent(ctx, applicationID, id, err)) {
				return
			}
		}
	}
}
