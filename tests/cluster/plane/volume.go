package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// volume is the pod's volume that a mount shows.
type volume struct {
	Kind string `json:"kind"` // configmap, secret, projected, downward-api, empty-dir ...
	Name string `json:"name"`
}

// volumeOf reads the kubelet's layout:
// ROOT/pods/UID/volumes/kubernetes.io~KIND/NAME[/subPath]. Other paths, such
// as the pod's hosts file, are no volume.
func volumeOf(hostPath string) *volume {
	_, rest, ok := strings.Cut(hostPath, "/volumes/kubernetes.io~")
	if !ok {
		return nil
	}
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) < 2 {
		return nil
	}
	return &volume{Kind: parts[0], Name: parts[1]}
}

// holdsObjects tells whether the kubelet writes the volume's files itself.
func (v *volume) holdsObjects() bool {
	return v != nil && slices.Contains([]string{"configmap", "secret", "projected", "downward-api"}, v.Kind)
}

// volumeFile is a file as a container would find it.
type volumeFile struct {
	Path     string `json:"path"` // below the mount; empty when the mount is the file
	HostPath string `json:"hostPath"`
	Mode     string `json:"mode"` // octal, such as 0644
	Content  []byte `json:"contentBase64"`
}

// listFiles reads a file, or all files below a folder, through the kubelet's
// links and without its bookkeeping.
func listFiles(hostPath string) ([]volumeFile, error) {
	return appendFiles(nil, hostPath, "")
}

func appendFiles(files []volumeFile, hostPath, path string) ([]volumeFile, error) {
	info, err := os.Stat(hostPath)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		content, err := os.ReadFile(hostPath)
		mode := fmt.Sprintf("%04o", info.Mode().Perm())
		return append(files, volumeFile{path, hostPath, mode, content}), err
	}
	entries, err := os.ReadDir(hostPath)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		if isBookkeeping(path, entry.Name()) {
			continue
		}
		files, err = appendFiles(files, filepath.Join(hostPath, entry.Name()), filepath.Join(path, entry.Name()))
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

// isBookkeeping tells whether an entry is one that the kubelet switches
// versions of a volume with (..data and the folder it points to). Keys cannot
// start with two dots.
func isBookkeeping(folder, name string) bool {
	return folder == "" && strings.HasPrefix(name, "..")
}
