package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Below the root folder the kubelet listens on unix sockets, whose paths the
// system limits to 107 bytes.
const (
	longestSocket = 107
	kubeletSocket = "pod-resources/kubelet.sock"
)

// nodeOptions is what the command line of a node says, checked.
type nodeOptions struct {
	kubeconfig string
	name       string
	root       string
	record     string
	network    string
	held       string
	control    controlAddress
}

// controlAddress is where the control listener listens; the empty address
// means nowhere.
type controlAddress struct {
	network string // "unix" or "tcp"
	address string
}

// parseNodeOptions reads the command line and makes the folders it names.
// Every error names the flag and what to do about it.
func parseNodeOptions(arguments []string) (nodeOptions, error) {
	var options nodeOptions
	var control string
	flags := pflag.NewFlagSet("plane node", pflag.ContinueOnError)
	flags.SetOutput(os.Stdout)
	flags.StringVar(&options.kubeconfig, "kubeconfig", "", "`FILE` that says how to reach the API server, as system:node:NAME")
	flags.StringVar(&options.name, "name", "node-1", "`NAME` of the node")
	flags.StringVar(&options.root, "root", "", "`DIR` for the kubelet's state, volumes included")
	flags.StringVar(&options.record, "record", "", "`DIR` that gets one JSON file for each container")
	flags.StringVar(&options.network, "network-from", "", "`NAMESPACE` whose containers bring the network: until one runs the node is not ready (default: it always is)")
	flags.StringVar(&options.held, "hold", "", "`NAMESPACE` whose containers a test runs itself (README.md)")
	flags.StringVar(&control, "control", "", "`ADDR` to listen on for GET /containers and POST /restart: 127.0.0.1:PORT (0: any) or unix:PATH")
	if err := parseQuietly(flags, arguments); err != nil {
		return options, err
	}
	var err error
	if options.control, err = parseControlAddress(control); err != nil {
		return options, err
	}
	return options, options.prepare()
}

// parseQuietly parses without pflag's own printing of errors.
func parseQuietly(flags *pflag.FlagSet, arguments []string) error {
	err := flags.Parse(arguments)
	if errors.Is(err, pflag.ErrHelp) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, knownFlags(flags))
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument `%s`: %s", flags.Arg(0), knownFlags(flags))
	}
	return nil
}

// knownFlags is the remedy for a flag that is not one.
func knownFlags(flags *pflag.FlagSet) string {
	var names []string
	flags.VisitAll(func(flag *pflag.Flag) { names = append(names, "--"+flag.Name) })
	return "give " + strings.Join(names, ", ") + ", each with a value"
}

// prepare checks what does not need the API server, and makes the folders.
func (options *nodeOptions) prepare() error {
	if err := checkKubeconfig(options.kubeconfig); err != nil {
		return err
	}
	if faults := validation.IsDNS1123Subdomain(options.name); len(faults) > 0 {
		return fmt.Errorf("--name `%s` cannot be a node: give a name such as node-1 (%s)", options.name, faults[0])
	}
	var err error
	if options.root, err = makeFolder("root", options.root); err != nil {
		return err
	}
	if socket := filepath.Join(options.root, kubeletSocket); len(socket) > longestSocket {
		return fmt.Errorf("--root `%s` is too long for the sockets below it: give a folder of at most %d bytes",
			options.root, longestSocket-len(kubeletSocket)-1)
	}
	options.record, err = makeFolder("record", options.record)
	return err
}

// checkKubeconfig sees to it that there is a file to read.
func checkKubeconfig(path string) error {
	if path == "" {
		return errors.New("--kubeconfig is missing: give the file that names the API server")
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--kubeconfig cannot be read: give an existing file (%w)", err)
	}
	defer file.Close()
	if _, err := io.ReadFull(file, make([]byte, 1)); err != nil {
		return fmt.Errorf("--kubeconfig `%s` is not a file with content: give a kubeconfig", path)
	}
	return nil
}

// makeFolder makes the folder a flag names and returns its absolute path.
func makeFolder(flag, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("--%s is missing: give a folder, it is made when it does not exist", flag)
	}
	absolute, err := filepath.Abs(path)
	if err == nil {
		err = os.MkdirAll(absolute, 0o755)
	}
	if err != nil {
		return "", fmt.Errorf("--%s cannot be made: give a folder that can be written (%w)", flag, err)
	}
	return absolute, nil
}

// parseControlAddress accepts unix:PATH and a TCP address of the loopback
// interface.
func parseControlAddress(text string) (controlAddress, error) {
	if text == "" {
		return controlAddress{}, nil
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if path == "" || len(path) > longestSocket {
			return controlAddress{}, fmt.Errorf("--control `%s` cannot be a socket: give unix:PATH with a path of at most %d bytes", text, longestSocket)
		}
		return controlAddress{"unix", path}, nil
	}
	host, _, err := net.SplitHostPort(text)
	if err != nil || !isLoopback(host) {
		return controlAddress{}, fmt.Errorf("--control `%s` is not on this machine: give 127.0.0.1:PORT or unix:PATH", text)
	}
	return controlAddress{"tcp", text}, nil
}

// isLoopback tells whether a host is this machine under any circumstances.
func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
