// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cloudsim is a simulated Huawei Cloud: one http.Handler that answers for IAM, ServiceStage V3, CSE and VPC as the
// vendor's API reference says, or as clients observed where the two differ (Quirks). It shares no code with the
// operator's cloud client: two independent readings of the same documents keep each other honest.
//
// Section numbers in comments are those of the ServiceStage API reference of 2024-01-09. What is inferred rather than
// documented says so where it is.
//
// # A request's way
//
//	ServeHTTP     /_sim/ goes to the admin API, everything else to serveCloud
//	serveCloud    call log, fault (before its effect), latency, process, fault (after the effect)
//	process       route (APIGW.0101), body size (APIGW.0201), ip and api limits (APIGW.0308), credentials (APIGW.0301),
//	              user limits, project in the path (APIGW.0302), then the handler under the state's lock
//
// # Files
//
//	server.go      Server: the way of a request, and the in-process form of every admin call
//	admin.go       the admin API under /_sim/; README.md has its JSON
//	options.go     Options and their defaults
//	quirks.go      Quirks: the switches
//	clock.go       Clock, RealClock, ManualClock
//	router.go      operations by method and path
//	reply.go       replies and the shapes of errors
//	auth.go        accounts, tokens, lockouts
//	signature.go   SDK-HMAC-SHA256, pure
//	store.go       collection: records by id, by name and in order; revisions; admin access
//	state.go       all collections, who refers to whom, JSON merge patch
//	faults.go, limits.go, latency.go, match.go, calllog.go
//	service.go     the table of services
//	iam.go         IAM
//	servicestage.go, servicestage_fields.go     what the collections of ServiceStage share
//	servicestage_<collection>.go                one collection: record, validation, handlers, rendering
//
// Components take several:
//
//	servicestage_components.go          record; create, update, delete
//	servicestage_component_fields.go    the tables of the bodies as data, and their reader
//	servicestage_component_checks.go    what fields demand of each other and of what they refer to
//	servicestage_component_views.go     detail, lists, what the cloud adds
//	servicestage_component_actions.go   actions and the states that allow them
//	servicestage_job_plans.go           the tasks of each kind of job; pure
//	servicestage_jobs.go                the job engine, and the answers about jobs
//	servicestage_releases.go            the records of releases
//	servicestage_runtimestacks.go       runtime stacks
//	outcomes.go                         jobs of components and engines that end badly or stand still, clusters that vanish
//
// Microservice engines:
//
//	cse.go          CSE: operations, errors, flavors, quotas
//	cse_create.go   creation and its checks
//	cse_engines.go  record, list, detail, update, delete, actions
//	cse_jobs.go     jobs, phase by phase
//	cse_hosts.go    what runs inside engines, and their own addresses
//	cse_items.go    configuration items for the admin API
//	cse_files.go    the gateway's import and export of items
//	vpc.go          look-ups of VPCs and subnets
//	kie/            one engine from inside: service center (accounts, tokens) and Kie; usable alone
//
// # A new collection
//
// Add servicestage_<collection>.go (or <service>_<collection>.go) with a struct that embeds meta, create the store with
// newCollection in the service's constructor, and put the operations into the service's install. Nothing else changes:
// the admin API, quotas, paging, sorting, reset and the health count know every collection by its path.
//
// A record that needs another one declares it with references: a plain reference holds the other one back (inUse), an
// owned one goes with it. A component, for instance, makes its environment in use and its application not empty.
//
// # A new service
//
// Implement service in a file of its own and add a line to the table in service.go.
//
// # Engines
//
// An engine's record decides what runs: with every change of it engineHosts.follow starts or stops a kie.Engine with two
// listeners on loopback, one for its service center and one for its Kie. Requests to them take the same way through
// faults, latency, limits and the call log as those to the cloud. Close stops them all.
//
// # Asynchronous jobs
//
// A job is a record whose state moves on with Clock.AfterFunc; the callback takes state.mu and looks the record up
// anew, since a reset or an admin call may have removed it meanwhile. With ManualClock, Advance runs minutes at once.
//
// A job of a component is planned as data before it starts: its tasks, how many replicas are available during each,
// the component's status meanwhile and after. Each tick ends one task and begins the next; the end of the job settles
// the component and its release. How a job ends if not well is decided when it starts (Outcome).
package cloudsim
