package main

import (
	"context"

	v1 "k8s.io/api/core/v1"
	probetest "k8s.io/kubernetes/pkg/kubelet/prober/testing"
)

// probes find every container healthy as soon as it runs. Upstream's fake finds
// it ready before that, so that a rollout would be over while its pods are
// still Pending.
type probes struct {
	probetest.FakeManager
}

// UpdatePodStatus sets what probes decide in the status of a pod.
func (probes) UpdatePodStatus(_ context.Context, _ *v1.Pod, status *v1.PodStatus) {
	for i := range status.ContainerStatuses {
		container := &status.ContainerStatuses[i]
		running := container.State.Running != nil
		container.Started, container.Ready = &running, running
	}
	for i := range status.InitContainerStatuses {
		container := &status.InitContainerStatuses[i]
		running, ended := container.State.Running != nil, container.State.Terminated
		container.Started = &running // Sidecars, which run on.
		container.Ready = running || ended != nil && ended.ExitCode == 0
	}
}
