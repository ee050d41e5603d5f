package main

import "k8s.io/kubernetes/cmd/kube-apiserver/app"

// apiServer runs the Kubernetes API server.
func apiServer([]string) int {
	return runCommand(app.NewAPIServerCommand())
}
