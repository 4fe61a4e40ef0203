// The etcd server, built from the published module: its own main package cannot be fetched by name, because the
// module it lives in has replace directives.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
