// Command etcd is etcd's server as its own release builds it: the released main package lives in a
// module that cannot be required by version, but it does nothing more than this.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
