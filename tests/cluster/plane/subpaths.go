package main

import (
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"
)

// subpaths makes folders as the kubelet does, and leaves out the bind mounts,
// for which one must be root: a subPath mount is the path itself.
//
// Caveat: a bind mount keeps the file of the moment the container started; the
// path follows later updates of the volume.
type subpaths struct {
	subpath.Interface
}

func newSubpaths(mounter mount.Interface) subpaths {
	return subpaths{subpath.New(mounter)}
}

// PrepareSafeSubpath returns the path as it is.
func (subpaths) PrepareSafeSubpath(path subpath.Subpath) (string, func(), error) {
	return path.Path, nil, nil
}

// CleanSubPaths has no bind mounts to undo.
func (subpaths) CleanSubPaths(string, string) error {
	return nil
}
