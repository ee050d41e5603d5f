package main

import (
	"cmp"
	"context"
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	critest "k8s.io/cri-api/pkg/apis/testing"
	"k8s.io/klog/v2"
	"k8s.io/kubelet/pkg/types"
)

// recordingRuntime is upstream's fake container runtime, which keeps the state
// of containers that do not exist, with five additions: it records what each
// container would have got, init containers succeed at once, a test can end a
// container, the network may wait for a namespace, and a test may run the
// containers of one itself (held.go).
type recordingRuntime struct {
	*critest.FakeRuntimeService
	folder  string
	network string // the namespace of what brings the network, or empty
	held    string // the namespace whose containers a test runs, or empty
	pods    core.PodsGetter
}

func newRuntime(options nodeOptions, pods core.PodsGetter) *recordingRuntime {
	return &recordingRuntime{critest.NewFakeRuntimeService(), options.record, options.network, options.held, pods}
}

// Status says that all is well, but for the network while what brings it does
// not run: then the kubelet says that the node is not ready.
func (r *recordingRuntime) Status(context.Context, bool) (*cri.StatusResponse, error) {
	_, runs := r.find(func(c *cri.Container) bool {
		return c.State == cri.ContainerState_CONTAINER_RUNNING &&
			c.Labels[types.KubernetesPodNamespaceLabel] == r.network
	})
	network := &cri.RuntimeCondition{Type: cri.NetworkReady, Status: r.network == "" || runs}
	if !network.Status {
		network.Reason = "NetworkPluginNotReady"
		network.Message = "no container runs in namespace " + r.network
	}
	ready := &cri.RuntimeCondition{Type: cri.RuntimeReady, Status: true}
	return &cri.StatusResponse{Status: &cri.RuntimeStatus{Conditions: []*cri.RuntimeCondition{ready, network}}}, nil
}

// CreateContainer records what the kubelet has put together for a container.
// Without a record there is no container: the kubelet reports the error in the
// pod's status and tries again.
func (r *recordingRuntime) CreateContainer(
	ctx context.Context,
	sandboxID string,
	config *cri.ContainerConfig,
	sandbox *cri.PodSandboxConfig,
) (string, error) {
	record, err := newRecord(config, sandbox)
	if err != nil {
		return "", err
	}
	if err := record.write(r.folder); err != nil {
		return "", err
	}
	return r.FakeRuntimeService.CreateContainer(ctx, sandboxID, config, sandbox)
}

// StartContainer starts a container, and ends it at once when others of its
// pod wait for that.
func (r *recordingRuntime) StartContainer(ctx context.Context, id string) error {
	if err := r.awaitReady(ctx, id); err != nil {
		return err
	}
	if err := r.FakeRuntimeService.StartContainer(ctx, id); err != nil {
		return err
	}
	container, ok := r.find(func(c *cri.Container) bool { return c.Id == id })
	if ok && r.isAwaited(ctx, container) {
		return r.end(ctx, id, 0)
	}
	return nil
}

// StopContainer ends a container, which may take as long as its grace period
// (in seconds) where a test runs it.
func (r *recordingRuntime) StopContainer(ctx context.Context, id string, grace int64) error {
	if err := r.awaitEnd(ctx, id, grace); err != nil {
		return err
	}
	return r.FakeRuntimeService.StopContainer(ctx, id, grace)
}

// isAwaited tells whether a container is an init container and no sidecar.
// The runtime is not told; the API server knows.
func (r *recordingRuntime) isAwaited(ctx context.Context, container containerState) bool {
	pod, err := r.pods.Pods(container.Namespace).Get(ctx, container.Pod, metav1.GetOptions{})
	if err != nil {
		klog.ErrorS(err, "Cannot tell whether this is an init container", "container", container)
		return false
	}
	return slices.ContainsFunc(pod.Spec.InitContainers, func(init v1.Container) bool {
		sidecar := init.RestartPolicy != nil && *init.RestartPolicy == v1.ContainerRestartPolicyAlways
		return init.Name == container.Container && !sidecar
	})
}

// end lets a container exit with a code. The kubelet notices within two
// seconds and does what the pod's restartPolicy says.
func (r *recordingRuntime) end(ctx context.Context, id string, code int32) error {
	if err := r.FakeRuntimeService.StopContainer(ctx, id, 0); err != nil {
		return err
	}
	r.Lock()
	defer r.Unlock()
	if container, ok := r.Containers[id]; ok {
		container.ExitCode = code
		container.Reason = "Completed"
		if code != 0 {
			container.Reason = "Error"
		}
	}
	return nil
}

// containerState is what the control listener says about a container.
type containerState struct {
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
	Pod       string `json:"pod"`
	UID       string `json:"uid"`
	Container string `json:"container"`
	Attempt   uint32 `json:"attempt"`
	State     string `json:"state"` // created, running or exited
	Record    string `json:"record"`
}

// containers lists the containers that fulfil a condition, oldest first.
func (r *recordingRuntime) containers(wanted func(*cri.Container) bool) []containerState {
	all, err := r.ListContainers(context.Background(), nil)
	if err != nil {
		klog.ErrorS(err, "Cannot list containers") // The fake fails only where a test injects it.
	}
	slices.SortFunc(all, func(a, b *cri.Container) int { return cmp.Compare(a.CreatedAt, b.CreatedAt) })
	states := []containerState{}
	for _, container := range all {
		if wanted(container) {
			states = append(states, stateOf(container))
		}
	}
	return states
}

// find returns the newest container that fulfils a condition.
func (r *recordingRuntime) find(wanted func(*cri.Container) bool) (containerState, bool) {
	found := r.containers(wanted)
	if len(found) == 0 {
		return containerState{}, false
	}
	return found[len(found)-1], true
}

func stateOf(container *cri.Container) containerState {
	name := recordName{
		namespace: container.Labels[types.KubernetesPodNamespaceLabel],
		pod:       container.Labels[types.KubernetesPodNameLabel],
		container: container.Metadata.Name,
		attempt:   container.Metadata.Attempt,
	}
	return containerState{
		ID:        container.Id,
		Namespace: name.namespace,
		Pod:       name.pod,
		UID:       container.Labels[types.KubernetesPodUIDLabel],
		Container: name.container,
		Attempt:   name.attempt,
		State:     stateNames[container.State],
		Record:    name.file(),
	}
}

var stateNames = map[cri.ContainerState]string{
	cri.ContainerState_CONTAINER_CREATED: "created",
	cri.ContainerState_CONTAINER_RUNNING: "running",
	cri.ContainerState_CONTAINER_EXITED:  "exited",
	cri.ContainerState_CONTAINER_UNKNOWN: "unknown",
}
