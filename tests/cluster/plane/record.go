package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unicode/utf8"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// record is what one container would have got, as the kubelet told its
// runtime.
type record struct {
	Namespace  string        `json:"namespace"`
	Pod        string        `json:"pod"`
	UID        string        `json:"uid"`
	Container  string        `json:"container"`
	Attempt    uint32        `json:"attempt"`
	Image      string        `json:"image"`
	Command    []string      `json:"command"`
	Args       []string      `json:"args"`
	WorkingDir string        `json:"workingDir,omitempty"`
	Envs       []recordEnv   `json:"envs"`
	Mounts     []recordMount `json:"mounts"`
}

// recordEnv is a variable, after envFrom, valueFrom and $(NAME) were resolved.
// A value that is not UTF-8 is in valueBase64.
type recordEnv struct {
	Key         string `json:"key"`
	Value       string `json:"value"`
	ValueBase64 []byte `json:"valueBase64,omitempty"`
}

// recordMount is a mount. Volumes of the API server's objects say what they
// are, and their files as they were when the container was created.
type recordMount struct {
	ContainerPath string       `json:"containerPath"`
	HostPath      string       `json:"hostPath"`
	ReadOnly      bool         `json:"readOnly"`
	Volume        *volume      `json:"volume,omitempty"`
	Files         []volumeFile `json:"files,omitempty"`
}

// newRecord takes a record out of what the kubelet asks for.
func newRecord(config *cri.ContainerConfig, sandbox *cri.PodSandboxConfig) (*record, error) {
	mounts, err := recordMounts(config.GetMounts())
	if err != nil {
		return nil, err
	}
	return &record{
		Namespace:  sandbox.GetMetadata().GetNamespace(),
		Pod:        sandbox.GetMetadata().GetName(),
		UID:        sandbox.GetMetadata().GetUid(),
		Container:  config.GetMetadata().GetName(),
		Attempt:    config.GetMetadata().GetAttempt(),
		Image:      config.GetImage().GetUserSpecifiedImage(),
		Command:    orEmpty(config.GetCommand()),
		Args:       orEmpty(config.GetArgs()),
		WorkingDir: config.GetWorkingDir(),
		Envs:       recordEnvs(config.GetEnvs()),
		Mounts:     mounts,
	}, nil
}

func recordEnvs(envs []*cri.KeyValue) []recordEnv {
	recorded := make([]recordEnv, 0, len(envs))
	for _, env := range envs {
		if utf8.Valid(env.GetValue()) {
			recorded = append(recorded, recordEnv{Key: env.GetKey(), Value: string(env.GetValue())})
		} else {
			recorded = append(recorded, recordEnv{Key: env.GetKey(), ValueBase64: env.GetValue()})
		}
	}
	return recorded
}

func recordMounts(mounts []*cri.Mount) ([]recordMount, error) {
	recorded := make([]recordMount, 0, len(mounts))
	for _, mount := range mounts {
		entry := recordMount{
			ContainerPath: mount.GetContainerPath(),
			HostPath:      mount.GetHostPath(),
			ReadOnly:      mount.GetReadonly(),
			Volume:        volumeOf(mount.GetHostPath()),
		}
		if entry.Volume.holdsObjects() {
			files, err := listFiles(entry.HostPath)
			if err != nil {
				return nil, fmt.Errorf("the files of %s: %w", entry.ContainerPath, err)
			}
			entry.Files = files
		}
		recorded = append(recorded, entry)
	}
	return recorded, nil
}

// orEmpty makes an absent list an empty one, so that readers need no null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// recordName is what the name of a record's file is made of. None of the parts
// can hold an underscore.
type recordName struct {
	namespace, pod, container string
	attempt                   uint32
}

func (n recordName) file() string {
	return fmt.Sprintf("%s_%s_%s_%d.json", n.namespace, n.pod, n.container, n.attempt)
}

// write puts the record into the folder, whole or not at all.
func (r *record) write(folder string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	unfinished, err := os.CreateTemp(folder, ".record-*")
	if err != nil {
		return err
	}
	defer os.Remove(unfinished.Name()) // Gone already when all went well.
	_, err = unfinished.Write(append(text, '\n'))
	if closed := unfinished.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	name := recordName{r.Namespace, r.Pod, r.Container, r.Attempt}
	return os.Rename(unfinished.Name(), filepath.Join(folder, name.file()))
}
