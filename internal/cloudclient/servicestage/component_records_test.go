// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package servicestage

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const recordList = "GET /applications/a1/components/c1/records?limit=100&offset=0&order=desc&order_by=create_time"

func TestListComponentRecords(t *testing.T) {
	cloud, client := newScript(t, map[string]http.HandlerFunc{recordList: reply(200, `{"count":2,"records":[
		{"begin_time":"1679579448500","end_time":"","description":null,"instance_id":"i1","version":"1.0.1","current_used":true,
		 "status":"running","deploy_type":"GrayRelease","jobs":[
			{"sequence":2,"job_id":"JOB3","deploy_type":"GrayRelease","job_info":{"replica":5,"remaining_batches":"2"}},null,
			{"sequence":1,"job_id":"JOB2","job_info":{"deploy_type":"GrayRelease","source_url":"swr/x:2","first_batch_weight":"20",
			 "first_batch_replica":1,"replica":5,"remaining_batch":3}}]},
		{"begin_time":1679556221933,"end_time":"2023-03-23T07:25:18.779Z","description":{"k":1},"instance_id":"i1","version":"1.0.0",
		 "current_used":"false","status":"SUCCEEDED","deploy_type":"OneBatchRelease","jobs":null}]}`)})
	want := []*ComponentRecord{
		{
			BeginTime: 1679579448500, InstanceID: "i1", Version: "1.0.1", Current: true, Status: "RUNNING", DeployType: "GrayRelease",
			JobID: "JOB3", Jobs: []RecordJob{
				{Sequence: 1, JobID: "JOB2", DeployType: "GrayRelease", SourceURL: "swr/x:2", FirstBatchWeight: 20, FirstBatchReplica: 1, Replica: 5, RemainingBatch: 3},
				{Sequence: 2, JobID: "JOB3", DeployType: "GrayRelease", Replica: 5, RemainingBatch: 2},
			},
		},
		{
			BeginTime: 1679556221933, EndTime: 1679556318779, Description: `{"k":1}`, InstanceID: "i1", Version: "1.0.0",
			Status: "SUCCEEDED", DeployType: "OneBatchRelease",
		},
	}
	var got []*ComponentRecord
	for record, err := range client.ListComponentRecords(t.Context(), "a1", "c1") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, record)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{recordList}, cloud.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// recordsJSON is a page of records, which differ in their times or in their jobs only.
func recordsJSON(count, newest, oldest int) string {
	var records []string
	for n := newest; n >= oldest; n-- {
		records = append(records, fmt.Sprintf(`{"instance_id":"i1","version":"1.0.0","begin_time":"%d","jobs":[{"job_id":"JOB%d"}]}`, 1679556221933+n/2, n))
	}
	return fmt.Sprintf(`{"count":%d,"records":[%s]}`, count, strings.Join(records, ","))
}

func TestListComponentRecordsOfManyPages(t *testing.T) {
	second := strings.Replace(recordList, "offset=0", "offset=99", 1)
	answers := map[string]http.HandlerFunc{
		recordList: reply(200, recordsJSON(150, 150, 51)),
		second:     reply(200, recordsJSON(150, 51, 1)),
	}
	for wanted, requests := range map[int][]string{10: {recordList}, 150: {recordList, second}} {
		cloud, client := newScript(t, answers)
		next := 150
		for record, err := range client.ListComponentRecords(t.Context(), "a1", "c1") {
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprint("JOB", next); record.JobID != want {
				t.Fatalf("record of %s, want %s", record.JobID, want)
			}
			if next--; next == 150-wanted {
				break
			}
		}
		if next != 150-wanted {
			t.Errorf("read %d records, want %d", 150-next, wanted)
		}
		if diff := cmp.Diff(requests, cloud.requests()); diff != "" {
			t.Errorf("%d records: requests (-want +got):\n%s", wanted, diff)
		}
	}
}
