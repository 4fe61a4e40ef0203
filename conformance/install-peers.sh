#!/usr/bin/env bash
# Installs the real engines and clients that the conformance tests and the benchmark compare Synod with:
#   from Debian's packages: etcd 3.4 (server, etcdctl), nghttp and h2load, curl, strace, procps, Redis, ZooKeeper,
#   PostgreSQL, nginx, HAProxy, wrk, openssl, the compilers of Thrift and of Protocol Buffers
#   from PyPI, into a virtual environment: grpcio, thrift
#   from Maven Central, pinned in peers/grpc-java/pom.xml: the interoperability client and server of grpc-java
#   built with Go, pinned in peers/*/go.mod and checked against go.sum: etcd 3.6 (etcd, etcdctl, etcdutl), h2spec, grpcurl,
#   the interoperability client and server of grpc-go
# What Go built goes to ${SYNOD_PEERS_DIR:-~/.cache/synod-peers}/NAME-VERSION/ and is reused: a second run is instant.
# Starts no service and leaves port 2379 free.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SYNOD_PEERS_DIR:-$HOME/.cache/synod-peers}
debian_packages=(etcd-server etcd-client nghttp2-client curl strace procps redis-server zookeeper postgresql
  nginx libnginx-mod-stream haproxy wrk openssl thrift-compiler protobuf-compiler maven)
mkdir -p "$cache"

say() { printf 'peers: [%3ds] %s\n' "$SECONDS" "$*"; }

# pinned FOLDER MODULE: the version that FOLDER/go.mod pins.
pinned() { awk -v module="$2" '$1 == "require" { sub(/^require /, "") } $1 == module { print $2; exit }' "$here/peers/$1/go.mod"; }

# build FOLDER MODULE OUTPUT=PACKAGE...: builds into a temporary folder, renamed when whole, so that a run that was
# cut off leaves nothing that looks installed.
build() {
  local folder=$1 version target
  version=$(pinned "$folder" "$2")
  target="$cache/$folder-$version"
  shift 2
  if [ -e "$target/.complete" ]; then
    say "$folder $version is here"
    return
  fi
  say "$folder $version: building with Go"
  local stage
  stage=$(mktemp -d "$cache/.stage-$folder-XXXXXX")
  local pair
  for pair in "$@"; do
    (cd "$here/peers/$folder" && GOWORK=off GOTOOLCHAIN=${GOTOOLCHAIN:-local} CGO_ENABLED=0 \
      go build -mod=readonly -trimpath -buildvcs=false -ldflags '-s -w' -o "$stage/${pair%%=*}" "${pair#*=}")
    say "$folder $version: built ${pair%%=*}"
  done
  chmod 755 "$stage"
  touch "$stage/.complete"
  rm -rf "$target"
  mv "$stage" "$target"
}

missing_debian() {
  local package
  for package in "${debian_packages[@]}"; do
    dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

install_debian() {
  command -v apt-get >/dev/null || { say "no apt-get here: install by hand what the tests name when they skip"; return; }
  local missing
  mapfile -t missing < <(missing_debian)
  if [ ${#missing[@]} -eq 0 ]; then
    say "Debian packages are here"
    return
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "not root, so not installed: run as root: apt-get install ${missing[*]}"
    return
  fi
  say "Debian packages: ${missing[*]}"
  # Debian starts a package's service as it installs it; RUNLEVEL=1 and a policy-rc.d that says no prevent that.
  local policy=/usr/sbin/policy-rc.d ours=0
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    ours=1
  fi
  local status=0
  apt-get -qq update || say "apt-get update failed: trying with the package lists that are here"
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq install -y --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" </dev/null >"$cache/apt.log" 2>&1 || status=$?
  [ "$ours" -eq 0 ] || rm -f "$policy"
  if [ "$status" -ne 0 ]; then
    tail -n 30 "$cache/apt.log" >&2
    return "$status"
  fi
  # The package also enables the service for the next start of the machine, where it would take port 2379.
  if command -v systemctl >/dev/null; then systemctl disable --now etcd nginx haproxy >/dev/null 2>&1 || true; fi
  if command -v update-rc.d >/dev/null; then for service in etcd nginx haproxy; do update-rc.d "$service" disable >/dev/null 2>&1 || true; done; fi
  say "Debian packages installed"
}

build_all() {
  command -v go >/dev/null || { say "no Go here: install Go 1.26 or newer, then run this again"; return 1; }
  # The linker and compiler share the cores; four builds at once overlap the downloads.
  local jobs=()
  build etcd go.etcd.io/etcd/server/v3 etcd=. etcdctl=go.etcd.io/etcd/etcdctl/v3 etcdutl=go.etcd.io/etcd/etcdutl/v3 &
  jobs+=($!)
  build h2spec github.com/summerwind/h2spec h2spec=github.com/summerwind/h2spec/cmd/h2spec &
  jobs+=($!)
  build grpcurl github.com/fullstorydev/grpcurl grpcurl=github.com/fullstorydev/grpcurl/cmd/grpcurl &
  jobs+=($!)
  build grpc-interop google.golang.org/grpc grpc-interop-client=google.golang.org/grpc/interop/client \
    grpc-interop-server=google.golang.org/grpc/interop/server &
  jobs+=($!)
  local job status=0
  for job in "${jobs[@]}"; do wait "$job" || status=1; done
  return "$status"
}

# Python's gRPC and Thrift, as outsiders, in a virtual environment of their own.
install_python() {
  local target="$cache/python-1"
  if [ -e "$target/.complete" ]; then
    say "Python clients are here"
    return
  fi
  command -v python3 >/dev/null || { say "no Python here: install Python 3.11 or newer, then run this again"; return 1; }
  rm -rf "$target"
  python3 -m venv "$target" &&
    "$target/bin/pip" install -q grpcio==1.85.1 grpcio-reflection==1.85.1 grpcio-tools==1.85.1 thrift==0.22.0 &&
    touch "$target/.complete" &&
    say "Python clients installed"
}

# grpc-java's interoperability programs, with what they stand on.
install_grpc_java() {
  local version target stage
  version=$(sed -n 's:.*<version>\([0-9.]*\..*\)</version>.*:\1:p' "$here/peers/grpc-java/pom.xml")
  target="$cache/grpc-java-$version"
  if [ -e "$target/.complete" ]; then
    say "grpc-java $version is here"
    return
  fi
  command -v mvn >/dev/null || { say "no Maven here: install Debian's maven, then run this again"; return 1; }
  stage=$(mktemp -d "$cache/.stage-grpc-java-XXXXXX")
  mvn -q -B -f "$here/peers/grpc-java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$stage/lib" || return 1
  mkdir "$stage/bin"
  local pair
  for pair in grpc-java-interop-client=TestServiceClient grpc-java-interop-server=TestServiceServer; do
    cat >"$stage/bin/${pair%%=*}" <<END
#!/bin/sh
if [ "\$1" = --version ]; then echo "grpc-java $version"; exit; fi
exec java -cp "\$(dirname "\$0")/../lib/*" io.grpc.testing.integration.${pair#*=} "\$@"
END
    chmod 755 "$stage/bin/${pair%%=*}"
  done
  chmod 755 "$stage"
  touch "$stage/.complete"
  rm -rf "$target"
  mv "$stage" "$target"
  say "grpc-java $version installed"
}

install_debian &
debian=$!
install_python &
python=$!
status=0
build_all || status=1
wait "$debian" || status=1
# Maven is one of Debian's packages.
install_grpc_java || status=1
wait "$python" || status=1
if [ "$status" -ne 0 ]; then
  say "not everything could be installed; the messages are above"
  exit 1
fi
if (exec 3<>/dev/tcp/127.0.0.1/2379) 2>/dev/null; then
  say "note: something listens on 127.0.0.1:2379"
fi
say "ready in $cache"
