// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package kie

import (
	"net/http"
	"sync"
)

// registry is as much of the list of microservices as shows what a token may do: services can be created and listed.
type registry struct {
	mu       sync.Mutex
	services []service
}

// service is a microservice (8.3.3).
type service struct {
	ServiceID    string `json:"serviceId"`
	AppID        string `json:"appId"`
	ServiceName  string `json:"serviceName"`
	Version      string `json:"version"`
	Level        string `json:"level"`
	Status       string `json:"status"`
	Timestamp    string `json:"timestamp"`
	ModTimestamp string `json:"modTimestamp"`
	environment  string
}

func (s service) identity() [4]string {
	return [4]string{s.environment, s.AppID, s.ServiceName, s.Version}
}

// listServices is 8.3.3; an empty list is {}.
func (e *Engine) listServices(x *exchange) response {
	e.registry.mu.Lock()
	defer e.registry.mu.Unlock()
	if len(e.registry.services) == 0 || !x.account.may("service", "get") {
		return registryJSON(http.StatusOK, struct{}{})
	}
	return registryJSON(http.StatusOK, map[string]any{"services": e.registry.services})
}

// createService is 8.3.4, idempotent per environment, application, name and version.
func (e *Engine) createService(x *exchange) response {
	if !x.account.may("service", "create") {
		return forbiddenService("service", "create")
	}
	var input struct {
		Service *struct {
			service
			Environment string `json:"environment"`
		} `json:"service"`
	}
	if err := decode(x.body, &input); err != nil {
		return unreadable(err)
	}
	if input.Service == nil || input.Service.ServiceName == "" {
		return refuse(http.StatusBadRequest, "400001", "Invalid parameter(s)", "request is nil")
	}
	now := unixText(e.clock.Now())
	added := service{
		AppID: orElse(input.Service.AppID, "default"), ServiceName: input.Service.ServiceName, Version: orElse(input.Service.Version, "0.0.1"),
		Level: orElse(input.Service.Level, "BACK"), Status: orElse(input.Service.Status, "UP"), Timestamp: now, ModTimestamp: now,
		environment: input.Service.Environment,
	}
	id := added.identity()
	added.ServiceID = derivedID(id[:]...)[:40]
	e.registry.mu.Lock()
	defer e.registry.mu.Unlock()
	for _, there := range e.registry.services {
		if there.identity() == id {
			return registryJSON(http.StatusOK, map[string]string{"serviceId": there.ServiceID})
		}
	}
	e.registry.services = append(e.registry.services, added)
	return registryJSON(http.StatusOK, map[string]string{"serviceId": added.ServiceID})
}

func orElse(value, absent string) string {
	if value == "" {
		return absent
	}
	return value
}
