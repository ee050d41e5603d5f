package main

import "k8s.io/kubernetes/cmd/kube-controller-manager/app"

// controllerManager runs the controllers that make Deployments into pods,
// clean up after deleted owners and the like.
func controllerManager([]string) int {
	return runCommand(app.NewControllerManagerCommand())
}
