// Copyright The servicestage-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Command cloudsim serves the simulated cloud of internal/cloudsim on one address.
//
// It prints "cloudsim: listening on http://ADDRESS" once it accepts connections, so that a caller may let the system
// choose the port, and stops on SIGINT or SIGTERM.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"servicestage.dev/operator/internal/cloudsim"
)

// stopTimeout is what requests in flight get before their connections are closed.
const stopTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "cloudsim:", err)
		os.Exit(1)
	}
}

// config is what the flags say.
type config struct {
	listen   string
	logLevel slog.Level
	options  cloudsim.Options
}

func parse(args []string, usage io.Writer) (config, error) {
	defaults := cloudsim.Options{}.WithDefaults()
	c := config{logLevel: slog.LevelWarn}
	flags := flag.NewFlagSet("cloudsim", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&c.listen, "listen", "127.0.0.1:9090", "`address` to listen on; port 0 lets the system choose")
	flags.StringVar(&c.options.AccessKey, "access-key", defaults.AccessKey, "access key of the account")
	flags.StringVar(&c.options.SecretKey, "secret-key", defaults.SecretKey, "secret key of the account")
	flags.StringVar(&c.options.ProjectID, "project", defaults.ProjectID, "`id` of the account's project")
	flags.StringVar(&c.options.Region, "region", defaults.Region, "`name` of the account's project, that is, its region")
	flags.StringVar(&c.options.DomainName, "domain", defaults.DomainName, "domain (account) `name` of the IAM user")
	flags.StringVar(&c.options.Username, "username", defaults.Username, "`name` of the IAM user")
	flags.StringVar(&c.options.Password, "password", defaults.Password, "password of the IAM user")
	flags.Int64Var(&c.options.Seed, "seed", defaults.Seed, "seed of ids, latencies and probabilities")
	flags.DurationVar(&c.options.ComponentTaskDuration, "task-duration", defaults.ComponentTaskDuration, "how long each task of a component's job takes")
	flags.DurationVar(&c.options.EngineTaskDuration, "engine-task-duration", defaults.EngineTaskDuration, "how long each phase of an engine's job takes")
	flags.StringVar(&c.options.EngineHost, "engine-host", defaults.EngineHost, "`address` that the engines listen on and publish, each on ports of its own")
	flags.TextVar(&c.logLevel, "log-level", c.logLevel, "`level` of the log on standard error: debug, info, warn or error")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q: everything is set by flags", flags.Arg(0))
	}
	var empty []string
	flags.VisitAll(func(f *flag.Flag) {
		if f.Value.String() == "" {
			empty = append(empty, "--"+f.Name)
		}
	})
	if len(empty) > 0 {
		return config{}, fmt.Errorf("%s must not be empty; leave it out for the default", strings.Join(empty, ", "))
	}
	if c.options.ComponentTaskDuration <= 0 {
		return config{}, fmt.Errorf("--task-duration %s: must be longer than 0, for example 300ms", c.options.ComponentTaskDuration)
	}
	if c.options.EngineTaskDuration <= 0 {
		return config{}, fmt.Errorf("--engine-task-duration %s: must be longer than 0, for example 300ms", c.options.EngineTaskDuration)
	}
	if strings.Contains(c.options.ProjectID, "/") {
		return config{}, fmt.Errorf("--project %q: a project id stands in the path and cannot hold a slash", c.options.ProjectID)
	}
	if _, _, err := net.SplitHostPort(c.listen); err != nil {
		return config{}, fmt.Errorf("--listen %q: use host:port, for example 127.0.0.1:9090: %w", c.listen, err)
	}
	return c, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c, err := parse(args, stderr)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: c.logLevel}))
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.listen)
	if err != nil {
		return fmt.Errorf("--listen %q: %w", c.listen, err)
	}
	cloud := cloudsim.New(c.options)
	defer cloud.Close()
	server := &http.Server{
		Handler:           cloud,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Fprintf(stdout, "cloudsim: listening on http://%s\n", listener.Addr())

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	logger.Info("Stopping")
	return stop(server)
}

// stop lets requests in flight end, and cuts those that do not.
func stop(server *http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
