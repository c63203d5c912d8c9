// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package cloudclient

import (
	"cmp"
	"crypto/x509"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"servicestage.dev/operator/internal/cloudclient/clouderr"
	"servicestage.dev/operator/internal/cloudclient/endpoint"
)

// Service names a cloud service. It is the first label of the service's default host and the value of the metrics
// label "service".
type Service string

// The services that are called.
const (
	IAM          Service = "iam"
	ServiceStage Service = "servicestage"
	CSE          Service = "cse"
	VPC          Service = "vpc"
	EPS          Service = "eps"
)

// services returns all of them, sorted.
func services() []Service { return []Service{CSE, EPS, IAM, ServiceStage, VPC} }

// global says whether a service has no project in its scope.
func (s Service) global() bool { return s == IAM || s == EPS }

// RateLimit is a token bucket. Where the rate is zero the endpoint's limit is found, from 10 requests per second on; a
// burst of zero is 20.
type RateLimit struct {
	RequestsPerSecond float64
	Burst             int
}

const (
	defaultRequestsPerSecond = 10
	defaultBurst             = 20
	defaultTimeout           = 30 * time.Second
	defaultUserAgent         = "servicestage-operator"
)

// Config says whose cloud is called, and how.
type Config struct {
	// Account is "namespace/name" of the account object: the value of the metrics label "account".
	Account string
	// Region is the region's id, for example "ap-southeast-3".
	Region string
	// ProjectID is looked up by ProjectName where it is empty, and ProjectName is the region's name where that is
	// empty too.
	ProjectID, ProjectName string
	Credentials            Credentials
	// Endpoints overrides base URLs, with an optional path.
	Endpoints map[Service]string
	// RootCAs are trusted instead of the system's where not nil.
	RootCAs            *x509.CertPool
	InsecureSkipVerify bool
	// RateLimit holds for each endpoint separately.
	RateLimit RateLimit
	// LimitsChanged is called when a limit was stated or found that was not known; nil tells nobody. It must not block.
	LimitsChanged func()
	// Policy says which hosts may be called; nil allows the vendor's domains.
	Policy *endpoint.Policy
	// Timeout bounds one call with everything it needs (project, token, waiting, retries); 30 s where zero.
	Timeout   time.Duration
	UserAgent string
	// Metrics may be shared by clients; nil counts nowhere.
	Metrics *Metrics
	// Clock is the system's where nil.
	Clock Clock
	// Dialer sets a resolver and timeouts for connections; a plain one with 10 s where nil. Its Control is not used.
	Dialer *net.Dialer
}

var (
	regionPattern  = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	projectPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
)

// withDefaults returns the configuration with every empty value filled in, or an error that names the field.
func (cfg Config) withDefaults() (Config, error) {
	invalid := func(format string, args ...any) (Config, error) {
		return Config{}, clouderr.New(clouderr.Invalid, format, args...)
	}
	if !regionPattern.MatchString(cfg.Region) {
		return invalid("region %q is not a region id such as ap-southeast-3", cfg.Region)
	}
	if cfg.ProjectID != "" && !projectPattern.MatchString(cfg.ProjectID) {
		return invalid("projectID %q is not a project id (1 to 64 letters, digits, hyphens and underscores)", cfg.ProjectID)
	}
	if err := cfg.Credentials.Validate(); err != nil {
		return Config{}, err
	}
	if cfg.RateLimit.RequestsPerSecond < 0 || cfg.RateLimit.Burst < 0 {
		return invalid("rateLimit must not be negative")
	}
	cfg.ProjectName = cmp.Or(cfg.ProjectName, cfg.Region)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, defaultUserAgent)
	if cfg.Policy == nil {
		policy, err := endpoint.NewPolicy(endpoint.DefaultPatterns())
		if err != nil {
			return invalid("%w", err)
		}
		cfg.Policy = policy
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
	if cfg.Clock == nil {
		cfg.Clock = systemClock{}
	}
	return cfg, nil
}

// endpointURLs returns the base URL of every service, overrides first, each checked against the policy.
func (cfg Config) endpointURLs() (map[Service]*url.URL, error) {
	known := map[Service]*url.URL{}
	for _, service := range services() {
		override, overridden := cfg.Endpoints[service]
		if !overridden || override == "" {
			override = "https://" + defaultHost(service, cfg.Region)
		}
		parsed, err := cfg.Policy.Parse(override)
		switch {
		case err == nil:
			known[service] = parsed
		case overridden:
			return nil, clouderr.New(clouderr.Invalid, "endpoints.%s: %s", service, clouderr.UserMessage(err))
		default:
			// The policy leaves the vendor's own host out. That matters only when the service is called.
		}
	}
	for service := range cfg.Endpoints {
		if !slices.Contains(services(), service) {
			return nil, clouderr.New(clouderr.Invalid, "endpoints.%s is not a service; want one of %v", service, services())
		}
	}
	return known, nil
}

// defaultHost is the vendor's host of a service in a region. Regions of the European site are named eu-west-1xx and
// live in a domain of their own; EPS is global elsewhere.
func defaultHost(service Service, region string) string {
	const european = "eu-west-1"
	domain := "myhuaweicloud.com"
	europe := strings.HasPrefix(region, european) && len(region) == len(european)+2
	if europe {
		domain = "myhuaweicloud.eu"
	}
	if service == EPS && !europe {
		return string(service) + "." + domain
	}
	return string(service) + "." + region + "." + domain
}
