// Plane is a Kubernetes control plane and one node in a single program, for
// the tests of this project. The first argument picks the component; the rest
// are that component's own arguments.
//
// All but the node are upstream's commands, unchanged. The node is the real
// kubelet over a container runtime that runs nothing and records what it was
// asked to run.
package main

import (
	"fmt"
	"os"
	"strings"
	_ "time/tzdata" // CronJobs may name a time zone.

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
)

// usageError is the exit code of a command line that cannot be understood.
const usageError = 2

// A component runs until it ends or is told to, and returns its exit code.
// The arguments start with the component's name.
type component struct {
	name string
	run  func(arguments []string) int
	// Whether it may be put on a leash (leash.go). The others read their
	// standard input themselves.
	leashed bool
}

var components = []component{
	{"etcd", etcd, true},
	{"kube-apiserver", apiServer, true},
	{"kube-controller-manager", controllerManager, true},
	{"kube-scheduler", scheduler, true},
	{"kubectl", kubectl, false},
	{"node", node, true},
	{"run", run, false},
	{"sweep", sweep, false},
}

func main() {
	picked, err := pick(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "plane:", err)
		os.Exit(usageError)
	}
	// Upstream's commands read os.Args themselves.
	os.Args = os.Args[1:]
	if picked.leashed && os.Getenv(leashVariable) == leashStdin {
		onStdinClosed(func() { os.Exit(leashCut) })
	}
	os.Exit(picked.run(os.Args))
}

// pick returns the component that the first argument names.
func pick(arguments []string) (component, error) {
	known := make([]string, 0, len(components))
	for _, candidate := range components {
		if len(arguments) > 0 && candidate.name == arguments[0] {
			return candidate, nil
		}
		known = append(known, candidate.name)
	}
	names := strings.Join(known, ", ")
	if len(arguments) == 0 {
		return component{}, fmt.Errorf("no component given: name one of %s", names)
	}
	return component{}, fmt.Errorf("unknown component `%s`: name one of %s", arguments[0], names)
}

// runCommand runs one of upstream's commands; it reads its arguments from
// os.Args.
func runCommand(command *cobra.Command) int {
	return cli.Run(command)
}
