package main

import (
	"os"

	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/logs"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

// kubectl runs the command line client, as its own main function does.
func kubectl(arguments []string) int {
	// The verbosity counts already while the command is being built.
	if _, err := logs.GlogSetter(cmd.GetLogVerbosity(arguments)); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
	}
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err) // Prints it and exits with its code.
	}
	return 0
}
