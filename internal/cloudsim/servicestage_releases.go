// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudsim

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// release is a record of API reference 5.3.8: one version that was rolled out. Its name is the version. Words of its
// status are not documented: those of jobs, and GRAYING, are inferred.
type release struct {
	meta
	ComponentID string       `json:"component_id"`
	Version     string       `json:"version"`
	Status      string       `json:"status"`
	CurrentUsed bool         `json:"current_used"`
	DeployType  string       `json:"deploy_type"`
	BeginTime   int64        `json:"begin_time"`
	EndTime     int64        `json:"end_time"`
	Jobs        []releaseJob `json:"jobs"`
	// Fields is the configuration that was rolled out, for a rollback.
	Fields map[string]any `json:"fields"`
}

// releaseJob is table 5-240.
type releaseJob struct {
	Sequence   int            `json:"sequence"`
	DeployType string         `json:"deploy_type"`
	JobID      string         `json:"job_id"`
	JobInfo    map[string]any `json:"job_info"`
}

func (r *release) references() []reference {
	return []reference{{collection: componentsPath, id: r.ComponentID, owned: true}}
}

// startRelease starts a job that rolls a configuration out, and the record of it.
func (s *serviceStage) startRelease(c *call, comp *component, plan jobPlan, fields map[string]any, before *snapshot) *job {
	now := c.now.UnixMilli()
	rolled := &release{
		meta:        meta{ID: s.random.uuid(), Name: textOf(fields["version"]), ProjectID: comp.ProjectID, CreateTime: now, UpdateTime: now},
		ComponentID: comp.ID, Version: textOf(fields["version"]), Status: jobRunning, DeployType: deployType(fields), BeginTime: now, Fields: fields,
	}
	s.releases.put(rolled)
	started := s.startJob(c, comp, plan, before, func(next *component) { next.fields = fields })
	return s.addToRelease(rolled, started)
}

// grayingRelease is the release that waits at its first batch, nil for none.
func (s *serviceStage) grayingRelease(comp *component) *release {
	for _, one := range s.releasesOf(comp) {
		if one.Status == statusGraying {
			return one
		}
	}
	return nil
}

// addToRelease makes a job one more of the jobs of a release, which goes on.
func (s *serviceStage) addToRelease(rolled *release, started *job) *job {
	s.releases.update(rolled, func(next *release) {
		next.Status, next.EndTime = jobRunning, 0
		next.Jobs = append(slices.Clone(rolled.Jobs), releaseJob{
			Sequence: len(rolled.Jobs) + 1, DeployType: rolled.DeployType, JobID: started.ID, JobInfo: jobInfo(rolled.Fields),
		})
	})
	return s.changeJob(started, func(next *job) { next.ReleaseID = rolled.ID })
}

// jobInfo is table 5-241.
func jobInfo(fields map[string]any) map[string]any {
	gray := grayOf(fields)
	return map[string]any{
		"deploy_type": deployType(fields), "source_url": sourceURL(fields), "replica": integer(fields["replica"]),
		"first_batch_weight": integer(gray["first_batch_weight"]), "first_batch_replica": integer(gray["first_batch_replica"]),
		"remaining_batch": remainingBatches(gray),
	}
}

func sourceURL(fields map[string]any) string {
	source := objectOf(fields["source"])
	if source["kind"] == "code" {
		return textOf(source["repo_url"])
	}
	return textOf(source["url"])
}

func deployType(fields map[string]any) string {
	if kind := textOf(objectOf(fields["deploy_strategy"])["type"]); kind != "" {
		return kind
	}
	return "OneBatchRelease"
}

// settleRelease ends the record of a job that has ended. The release in use changes only when another one succeeds,
// which also ends one that was graying: it has been given up.
func (s *serviceStage) settleRelease(comp *component, ended *job) {
	rolled, ok := s.releases.find(ended.ReleaseID)
	if !ok {
		return
	}
	now := s.state.nowMillis()
	if ended.Status == jobSucceeded {
		if graying := s.grayingRelease(comp); graying != nil {
			s.releases.update(graying, func(next *release) { next.Status, next.EndTime = jobRollbacked, now })
		}
	}
	if ended.graying(rolled) {
		s.releases.update(rolled, func(next *release) { next.Status = statusGraying })
		return
	}
	used := ended.Status == jobSucceeded
	if old := s.currentRelease(comp); used && old != nil {
		s.releases.update(old, func(next *release) { next.CurrentUsed = false })
	}
	s.releases.update(rolled, func(next *release) { next.Status, next.EndTime, next.CurrentUsed = ended.Status, now, used })
}

// graying says that a job leaves its release at the first batch: it was the job of that batch, or one that was to go
// on from there and has been taken back.
func (j *job) graying(rolled *release) bool {
	if j.Status == jobSucceeded {
		return j.Goal == statusGraying
	}
	return len(rolled.Jobs) > 1 && (j.Status == jobCancelled || j.Status == jobRollbacked)
}

// releasesOf returns a component's releases, the oldest first.
func (s *serviceStage) releasesOf(comp *component) []*release {
	var found []*release
	for _, id := range s.state.referrerIDs(componentsPath, comp.ID, releasesPath) {
		if one, ok := s.releases.find(id); ok {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(a, b *release) int {
		return cmp.Or(cmp.Compare(a.CreateTime, b.CreateTime), cmp.Compare(s.releases.slots[a.ID].seq, s.releases.slots[b.ID].seq))
	})
	return found
}

// currentRelease is the release in use, nil where none has succeeded.
func (s *serviceStage) currentRelease(comp *component) *release {
	for _, one := range s.releasesOf(comp) {
		if one.CurrentUsed {
			return one
		}
	}
	return nil
}

// releaseOf returns the last release of a version that succeeded, the only ones to roll back to (inferred).
func (s *serviceStage) releaseOf(comp *component, version string) *release {
	releases := s.releasesOf(comp)
	for i := len(releases) - 1; i >= 0; i-- {
		if releases[i].Version == version && releases[i].Status == jobSucceeded {
			return releases[i]
		}
	}
	return nil
}

// listReleases is 5.3.8.
func (s *serviceStage) listReleases(c *call) (reply, error) {
	comp, err := s.component(c)
	if err != nil {
		return reply{}, err
	}
	p, err := parsePaging(c.query, c.quirks)
	if err != nil {
		return reply{}, err
	}
	records, total := s.releases.pageOf(s.releasesOf(comp), p)
	items := make([]any, len(records))
	for i, one := range records {
		items[i] = releaseBody(one, comp, c.quirks)
	}
	return reply{status: http.StatusOK, body: map[string]any{"count": total, "records": items}}, nil
}

func releaseBody(one *release, comp *component, quirks Quirks) map[string]any {
	return map[string]any{
		"begin_time": recordTime(one.BeginTime, quirks), "end_time": recordTime(one.EndTime, quirks), "description": nil,
		"instance_id": comp.ID, "version": one.Version, "current_used": one.CurrentUsed, "status": one.Status,
		"deploy_type": one.DeployType, "jobs": orNull(one.Jobs, quirks),
	}
}

// recordTime: table 5-239 says string and not of which form. nil for a release that has not ended.
func recordTime(millis int64, quirks Quirks) any {
	switch {
	case millis == 0:
		return nil
	case quirks.RecordTimes == "millis":
		return strconv.FormatInt(millis, 10)
	case quirks.RecordTimes == "number":
		return millis
	}
	return time.UnixMilli(millis).UTC().Format(time.RFC3339)
}
