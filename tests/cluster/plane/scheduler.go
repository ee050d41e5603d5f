package main

import "k8s.io/kubernetes/cmd/kube-scheduler/app"

// scheduler runs what assigns pods to nodes.
func scheduler([]string) int {
	return runCommand(app.NewSchedulerCommand())
}
