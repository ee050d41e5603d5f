package main

import (
	"fmt"
	"net/url"

	"k8s.io/client-go/kubernetes"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// clients are the node's ways to the API server: one for its work, and one
// for heartbeats, which must not queue behind the work.
type clients struct {
	work      *kubernetes.Clientset
	heartbeat *kubernetes.Clientset
}

// newClients reads the kubeconfig. An API server on another machine is
// refused: this node tells lies that must not reach a real cluster.
func newClients(options nodeOptions) (clients, error) {
	config, err := clientcmd.BuildConfigFromFlags("", options.kubeconfig)
	if err != nil {
		return clients{}, fmt.Errorf("--kubeconfig `%s` is not understood: give a kubeconfig with a current context (%w)", options.kubeconfig, err)
	}
	server, err := url.Parse(config.Host)
	if err != nil || !isLoopback(server.Hostname()) {
		return clients{}, fmt.Errorf("--kubeconfig names the server `%s`: give one on 127.0.0.1, as a test node belongs in no other cluster", config.Host)
	}
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.UserAgent = "plane-node"
	config.QPS = -1 // Unlimited: upstream's rate makes 200 pods take a minute.
	return connect(config)
}

func connect(config *rest.Config) (clients, error) {
	work, err := kubernetes.NewForConfig(config)
	if err != nil {
		return clients{}, fmt.Errorf("--kubeconfig cannot be used: %w", err)
	}
	heartbeat, err := kubernetes.NewForConfig(config)
	if err != nil {
		return clients{}, fmt.Errorf("--kubeconfig cannot be used: %w", err)
	}
	return clients{work, heartbeat}, nil
}

// pods reads pods of any namespace.
func (c clients) pods() core.PodsGetter {
	return c.work.CoreV1()
}
