package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// A test may run the containers of one namespace itself. It is told of each by
// its record, and both sides make files beside that:
//
//	NAME.running  by the test: the process is ready. Until then the container does not run.
//	NAME.stop     by the kubelet's request to end; it holds the grace period in seconds
//	NAME.ended    by the test: the process has ended. Until then the container runs.
const (
	heldRunning = ".running"
	heldStop    = ".stop"
	heldEnded   = ".ended"
)

const (
	heldPause    = 20 * time.Millisecond
	heldPatience = 2 * time.Minute // For a process to be ready.
)

// heldName is what the files of a container are called, if a test runs it.
func (r *recordingRuntime) heldName(id string) (string, bool) {
	container, ok := r.find(func(c *cri.Container) bool { return c.Id == id })
	if !ok || r.held == "" || container.Namespace != r.held {
		return "", false
	}
	return filepath.Join(r.folder, strings.TrimSuffix(container.Record, ".json")), true
}

// awaitReady waits until the test says that the process of a container is
// ready.
func (r *recordingRuntime) awaitReady(ctx context.Context, id string) error {
	name, held := r.heldName(id)
	if !held {
		return nil
	}
	return awaitFile(ctx, name+heldRunning, heldPatience)
}

// awaitEnd asks the test to end the process of a container, and waits until it
// has, or until the grace period is over.
func (r *recordingRuntime) awaitEnd(ctx context.Context, id string, grace int64) error {
	name, held := r.heldName(id)
	if !held {
		return nil
	}
	if err := os.WriteFile(name+heldStop, fmt.Appendln(nil, grace), 0o644); err != nil {
		return err
	}
	// After the grace period a runtime kills, and then it has ended, too.
	awaitFile(ctx, name+heldEnded, time.Duration(grace)*time.Second)
	return nil
}

func awaitFile(ctx context.Context, path string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nobody made %s: %w", path, ctx.Err())
		case <-time.After(heldPause):
		}
	}
}
