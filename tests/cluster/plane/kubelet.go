package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	critest "k8s.io/cri-api/pkg/apis/testing"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	"k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubemark"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
)

// maxPods lets a test scale far on one node.
const maxPods = 1000

// startKubelet starts upstream's kubelet, which then runs until the context
// ends.
func startKubelet(ctx context.Context, node nodeOptions, clients clients, runtime *recordingRuntime) error {
	flags, config, err := kubeletConfig(node)
	if err != nil {
		return err
	}
	return kubeletapp.RunKubelet(ctx, &options.KubeletServer{
		KubeletFlags:         *flags,
		KubeletConfiguration: *config,
	}, kubeletDependencies(node, flags, config, clients, runtime))
}

// kubeletConfig is upstream's configuration for a hollow node, moved into our
// root folder and quickened.
func kubeletConfig(node nodeOptions) (*options.KubeletFlags, *kubeletconfig.KubeletConfiguration, error) {
	flags, config := kubemark.GetHollowKubeletConfig(&kubemark.HollowKubeletOptions{
		NodeName: node.name,
		MaxPods:  maxPods,
	})
	// It has made a folder in /tmp, which is not used here.
	if err := os.RemoveAll(flags.RootDirectory); err != nil {
		return nil, nil, fmt.Errorf("a temporary folder cannot be removed: %w", err)
	}
	flags.RootDirectory = node.root
	flags.NodeIP = ownAddress()

	config.StaticPodPath = ""
	config.PodLogsDir = node.root + "/logs"
	config.Address = "127.0.0.1"
	config.EnableServer = false // It has no logs to show and nothing to exec into.
	config.RegistryPullQPS = 0  // Unlimited: images are not pulled.
	config.SyncFrequency = metav1.Duration{Duration: 5 * time.Second}
	config.CrashLoopBackOff.MaxContainerRestartPeriod = &metav1.Duration{Duration: time.Second}
	return flags, config, nil
}

// kubeletDependencies is upstream's set of fakes around the real kubelet, with
// our runtime in it, and true files below subPath mounts.
func kubeletDependencies(
	node nodeOptions,
	flags *options.KubeletFlags,
	config *kubeletconfig.KubeletConfiguration,
	clients clients,
	runtime *recordingRuntime,
) *kubelet.Dependencies {
	hollow := kubemark.NewHollowKubelet(flags, config, clients.work, clients.heartbeat,
		newMachine(node.name), critest.NewFakeImageService(), runtime, newCapacity())
	hollow.KubeletDeps.HostUtil = host{hostutil.NewHostUtil()}
	hollow.KubeletDeps.ProbeManager = probes{}
	hollow.KubeletDeps.Subpather = newSubpaths(hollow.KubeletDeps.Mounter)
	return hollow.KubeletDeps
}

// host is the real one, but nothing is mounted on it: the kubelet would bind its
// root folder onto itself, for which one must be root, and which would outlive
// it.
type host struct {
	hostutil.HostUtils
}

// MakeRShared leaves the folder as it is.
func (host) MakeRShared(string) error {
	return nil
}

// ownAddress is an address of this machine for the node's status; nothing
// listens there. Without one the kubelet would ask DNS for the node's name.
func ownAddress() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, address := range addresses {
		network, ok := address.(*net.IPNet)
		if ok && network.IP.To4() != nil && network.IP.IsGlobalUnicast() {
			return network.IP.String()
		}
	}
	return ""
}
