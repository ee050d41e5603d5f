package main

import "go.etcd.io/etcd/server/v3/etcdmain"

// etcd runs the store of the API server. It ends the process itself when a
// signal stops it.
func etcd(arguments []string) int {
	etcdmain.Main(arguments)
	return 0
}
