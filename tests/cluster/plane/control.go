package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubelet/pkg/types"
)

// control is how a test acts on the containers of a node.
type control struct {
	runtime *recordingRuntime
}

// serveControl listens and prints where, as the port may have been left to the
// system. What it returns waits for the listener's end.
func serveControl(ctx context.Context, where controlAddress, runtime *recordingRuntime) (func(), error) {
	listener, err := listen(where)
	if err != nil {
		return nil, fmt.Errorf("--control cannot listen: give a free port or path (%w)", err)
	}
	server := &http.Server{Handler: control{runtime}.routes(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			klog.ErrorS(err, "The control listener failed")
		}
	}()
	context.AfterFunc(ctx, func() { server.Close() })
	fmt.Printf("control %s:%s\n", where.network, listener.Addr())
	return func() { server.Close(); <-ended }, nil
}

// listen takes over a socket that a killed predecessor has left.
func listen(where controlAddress) (net.Listener, error) {
	if where.network == "unix" {
		if info, err := os.Stat(where.address); err == nil && info.Mode().Type() == os.ModeSocket {
			os.Remove(where.address)
		}
	}
	return net.Listen(where.network, where.address)
}

func (c control) routes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /containers", c.list)
	routes.HandleFunc("POST /restart", c.restart)
	return routes
}

// list answers with all containers the runtime knows, ended ones included.
func (c control) list(w http.ResponseWriter, _ *http.Request) {
	answer(w, c.runtime.containers(func(*cri.Container) bool { return true }))
}

// restart ends the running container of a name, with exit code 1 unless the
// query says `code=`, and answers with what it ended. A new one with the next
// attempt follows, if the pod's restartPolicy says so.
func (c control) restart(w http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	namespace, pod, container := query.Get("namespace"), query.Get("pod"), query.Get("container")
	code, err := exitCode(query.Get("code"))
	if namespace == "" || pod == "" || container == "" || err != nil {
		http.Error(w, "give ?namespace=&pod=&container=, and code=NUMBER if it is not to be 1", http.StatusBadRequest)
		return
	}
	running, ok := c.runtime.find(func(candidate *cri.Container) bool {
		return candidate.State == cri.ContainerState_CONTAINER_RUNNING &&
			candidate.Metadata.Name == container &&
			candidate.Labels[types.KubernetesPodNameLabel] == pod &&
			candidate.Labels[types.KubernetesPodNamespaceLabel] == namespace
	})
	if !ok {
		http.Error(w, fmt.Sprintf("no running container `%s` in pod `%s` of namespace `%s`", container, pod, namespace), http.StatusNotFound)
		return
	}
	if err := c.runtime.end(request.Context(), running.ID, code); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, running)
}

func exitCode(text string) (int32, error) {
	if text == "" {
		return 1, nil
	}
	code, err := strconv.ParseUint(text, 10, 8)
	return int32(code), err
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		klog.ErrorS(err, "An answer of the control listener was not sent")
	}
}
