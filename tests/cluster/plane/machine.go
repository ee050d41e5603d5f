package main

import (
	cadvisor "github.com/google/cadvisor/info/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
)

// What the node claims to have, so that no test waits for resources.
const (
	machineCores  = 256
	machineMemory = 1 << 40
	machineDisk   = 1 << 42
)

// machine is upstream's fake machine, grown.
type machine struct {
	cadvisortest.Fake
}

func newMachine(name string) *machine {
	return &machine{cadvisortest.Fake{NodeName: name}}
}

// MachineInfo says how many cores and how much memory there are.
func (m *machine) MachineInfo() (*cadvisor.MachineInfo, error) {
	info, err := m.Fake.MachineInfo()
	if err != nil {
		return nil, err
	}
	info.NumCores = machineCores
	info.MemoryCapacity = machineMemory
	return info, nil
}

// capacity is upstream's container manager that manages nothing, with room
// for pods that request ephemeral storage.
type capacity struct {
	cm.ContainerManager
}

func newCapacity() capacity {
	return capacity{cm.NewStubContainerManagerWithDevicePluginResource(v1.ResourceList{})}
}

// GetCapacity says how large the disk is.
func (capacity) GetCapacity(bool) v1.ResourceList {
	return v1.ResourceList{v1.ResourceEphemeralStorage: *resource.NewQuantity(machineDisk, resource.BinarySI)}
}
