package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
)

// node runs a real kubelet whose containers are only recorded, until SIGTERM
// or SIGINT.
func node(arguments []string) int {
	options, err := parseNodeOptions(arguments[1:])
	if errors.Is(err, pflag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plane node:", err)
		return usageError
	}
	defer klog.Flush()
	if err := serveNode(options); err != nil {
		fmt.Fprintln(os.Stderr, "plane node:", err)
		return 1
	}
	return 0
}

// serveNode starts the kubelet and the control listener and returns once a
// signal came.
func serveNode(options nodeOptions) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()

	clients, err := newClients(options)
	if err != nil {
		return err
	}
	runtime := newRuntime(options, clients.pods())
	if options.control.address != "" {
		stopped, err := serveControl(ctx, options.control, runtime)
		if err != nil {
			return err
		}
		defer stopped()
	}
	if err := startKubelet(ctx, options, clients, runtime); err != nil {
		return fmt.Errorf("the kubelet does not start: %w", err)
	}
	<-ctx.Done()
	return nil
}
