// Finds the real engines and clients that conformance tests and benchmarks run against, by program and version:
// first what install-peers.sh built into its cache, then PATH. Starts nothing but version commands.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** The peers by name; the digits are the etcd release line. */
export type PeerName =
  | 'etcd36'
  | 'etcdctl36'
  | 'etcdutl36'
  | 'etcd34'
  | 'etcdctl34'
  | 'h2spec'
  | 'grpcurl'
  | 'grpcInteropClient'
  | 'grpcInteropServer'
  | 'grpcJavaInteropClient'
  | 'grpcJavaInteropServer'
  | 'nghttp'
  | 'curl'
  | 'zookeeper'
  | 'redis'
  | 'nginx'
  | 'haproxy'
  | 'wrk'
  | 'h2load'
  | 'thrift'
  | 'protoc'
  | 'openssl'
  | 'python'

/** A program found on this machine. */
export interface Peer {
  readonly name: PeerName
  readonly path: string
  readonly version: string
}

interface Recipe {
  readonly program: string
  /** The folder under the cache, by the version that peers/FOLDER/go.mod pins. */
  readonly built?: { readonly folder: string; readonly module: string }
  /** The folder under the cache of what was installed there otherwise; nowhere else is looked. */
  readonly cached?: string
  readonly versionArgs: readonly string[]
  /** The first group is the version; a program whose version does not match is another release and is passed over. */
  readonly versionPattern: RegExp
  readonly install: string
}

const installer = 'bash conformance/install-peers.sh'
const builtInterop = { folder: 'grpc-interop', module: 'google.golang.org/grpc' }
const builtEtcd = { folder: 'etcd', module: 'go.etcd.io/etcd/server/v3' }

const grpcJava = {
  // The version that peers/grpc-java/pom.xml pins.
  cached: 'grpc-java-1.57.2/bin',
  versionArgs: ['--version'],
  versionPattern: /grpc-java (\S+)/,
  install: `grpc-java's interoperability programs: ${installer}`,
}

const recipes: Readonly<Record<PeerName, Recipe>> = {
  etcd36: {
    program: 'etcd',
    built: builtEtcd,
    versionArgs: ['--version'],
    versionPattern: /etcd Version: (3\.6\.\d+)/,
    install: `etcd 3.6: ${installer}`,
  },
  etcdctl36: {
    program: 'etcdctl',
    built: builtEtcd,
    versionArgs: ['version'],
    versionPattern: /etcdctl version: (3\.6\.\d+)/,
    install: `etcdctl 3.6: ${installer}`,
  },
  etcdutl36: {
    program: 'etcdutl',
    built: builtEtcd,
    versionArgs: ['version'],
    versionPattern: /etcdutl version: (3\.6\.\d+)/,
    install: `etcdutl 3.6: ${installer}`,
  },
  etcd34: {
    program: 'etcd',
    versionArgs: ['--version'],
    versionPattern: /etcd Version: (3\.4\.\d+)/,
    install: `Debian's etcd-server 3.4: ${installer}`,
  },
  etcdctl34: {
    program: 'etcdctl',
    versionArgs: ['version'],
    versionPattern: /etcdctl version: (3\.4\.\d+)/,
    install: `Debian's etcd-client 3.4: ${installer}`,
  },
  h2spec: {
    program: 'h2spec',
    built: { folder: 'h2spec', module: 'github.com/summerwind/h2spec' },
    versionArgs: ['--version'],
    versionPattern: /Version: (\S+)/,
    install: `h2spec: ${installer}`,
  },
  grpcurl: {
    program: 'grpcurl',
    built: { folder: 'grpcurl', module: 'github.com/fullstorydev/grpcurl' },
    versionArgs: ['--version'],
    versionPattern: /grpcurl (v?\d\S*|dev)/,
    install: `grpcurl: ${installer}`,
  },
  // These two know no version; their folder's name does.
  grpcInteropClient: {
    program: 'grpc-interop-client',
    built: builtInterop,
    versionArgs: ['-help'],
    versionPattern: /(-test_case)/,
    install: `grpc-go's interop client: ${installer}`,
  },
  grpcInteropServer: {
    program: 'grpc-interop-server',
    built: builtInterop,
    versionArgs: ['-help'],
    versionPattern: /(-use_alts)/,
    install: `grpc-go's interop server: ${installer}`,
  },
  nghttp: {
    program: 'nghttp',
    versionArgs: ['--version'],
    versionPattern: /nghttp nghttp2\/(\S+)/,
    install: `Debian's nghttp2-client: ${installer}`,
  },
  curl: {
    program: 'curl',
    versionArgs: ['--version'],
    versionPattern: /curl (\S+)/,
    install: `Debian's curl: ${installer}`,
  },
  // The program is the Java that runs it; its version and its class path are those of the jar.
  zookeeper: {
    program: 'java',
    versionArgs: ['-cp', '/usr/share/java/zookeeper.jar', 'org.apache.zookeeper.version.VersionInfoMain'],
    versionPattern: /Apache ZooKeeper, version (3\.[6-9]\.\d+)/,
    install: `Debian's zookeeper: ${installer}`,
  },
  redis: {
    program: 'redis-server',
    versionArgs: ['--version'],
    versionPattern: /Redis server v=([67]\.\S+)/,
    install: `Debian's redis-server: ${installer}`,
  },
  nginx: {
    program: 'nginx',
    versionArgs: ['-v'],
    versionPattern: /nginx version: nginx\/(\S+)/,
    install: `Debian's nginx: ${installer}`,
  },
  haproxy: {
    program: 'haproxy',
    versionArgs: ['-v'],
    versionPattern: /HAProxy version (\S+)/,
    install: `Debian's haproxy: ${installer}`,
  },
  wrk: {
    program: 'wrk',
    versionArgs: ['-v'],
    versionPattern: /wrk (?:debian\/)?(\S+)/,
    install: `Debian's wrk: ${installer}`,
  },
  h2load: {
    program: 'h2load',
    versionArgs: ['--version'],
    versionPattern: /h2load nghttp2\/(\S+)/,
    install: `Debian's nghttp2-client: ${installer}`,
  },
  thrift: {
    program: 'thrift',
    versionArgs: ['--version'],
    versionPattern: /Thrift version (\S+)/,
    install: `Debian's thrift-compiler: ${installer}`,
  },
  protoc: {
    program: 'protoc',
    versionArgs: ['--version'],
    versionPattern: /libprotoc (\S+)/,
    install: `Debian's protobuf-compiler: ${installer}`,
  },
  openssl: {
    program: 'openssl',
    versionArgs: ['version'],
    versionPattern: /OpenSSL (\S+)/,
    install: `Debian's openssl: ${installer}`,
  },
  grpcJavaInteropClient: {
    program: 'grpc-java-interop-client',
    ...grpcJava,
  },
  grpcJavaInteropServer: {
    program: 'grpc-java-interop-server',
    ...grpcJava,
  },
  // With grpcio and thrift, in a virtual environment.
  python: {
    program: 'python3',
    cached: 'python-1/bin',
    versionArgs: ['-c', 'import grpc, thrift, sys; print("Python", sys.version.split()[0])'],
    versionPattern: /Python (\S+)/,
    install: `Python's grpcio and thrift: ${installer}`,
  },
}

const cacheDir = process.env['SYNOD_PEERS_DIR'] ?? join(homedir(), '.cache', 'synod-peers')
const found = new Map<PeerName, Peer | undefined>()

/** Finds a peer, or returns undefined. The answer is remembered for the life of the process. */
export function findPeer(name: PeerName): Peer | undefined {
  if (!found.has(name)) found.set(name, search(name))
  return found.get(name)
}

/** True where a missing peer is a failure instead of a skip: `SYNOD_REQUIRE_PEERS=1`, as CI sets it. */
export const peersRequired = process.env['SYNOD_REQUIRE_PEERS'] === '1'

/**
 * Says why a test that needs these peers must be skipped, in the form of node:test's `skip` option: false when all
 * are there. Throws when one is missing and `SYNOD_REQUIRE_PEERS=1`.
 */
export function skipWithout(...names: readonly PeerName[]): string | false {
  const missing = names.filter((name) => findPeer(name) === undefined)
  if (missing.length === 0) return false
  const reason = `missing ${missing.map((name) => recipes[name].install).join('; ')}`
  if (peersRequired) throw new Error(`SYNOD_REQUIRE_PEERS=1 forbids skips: ${reason}`)
  return reason
}

/** The peer's path. Throws, saying what to install, when it is missing: ask {@link skipWithout} first. */
export function requirePeer(name: PeerName): string {
  const peer = findPeer(name)
  if (peer === undefined) throw new Error(`missing ${recipes[name].install}`)
  return peer.path
}

function search(name: PeerName): Peer | undefined {
  const recipe = recipes[name]
  // Debian keeps servers in /usr/sbin, which is not on everyone's PATH.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), '/usr/sbin']
  let pinned: string | undefined
  if (recipe.built !== undefined) {
    pinned = pinnedVersion(recipe.built.folder, recipe.built.module)
    folders.unshift(join(cacheDir, `${recipe.built.folder}-${pinned}`))
  }
  if (recipe.cached !== undefined) folders.splice(0, folders.length, join(cacheDir, recipe.cached))
  for (const [at, folder] of folders.entries()) {
    const path = join(folder, recipe.program)
    const version = versionOf(path, recipe)
    if (version === undefined) continue
    // h2spec built with Go does not know its own version; the folder's name does.
    return { name, path, version: at === 0 && pinned !== undefined ? pinned.replace(/^v/, '') : version }
  }
  return undefined
}

function versionOf(path: string, recipe: Recipe): string | undefined {
  try {
    accessSync(path, constants.X_OK)
  } catch {
    return undefined
  }
  const env = { ...process.env, ETCDCTL_API: '3' }
  const { stdout, stderr } = spawnSync(path, recipe.versionArgs, { encoding: 'utf8', env, timeout: 10_000 })
  return recipe.versionPattern.exec(`${stdout}\n${stderr}`)?.[1]
}

function pinnedVersion(folder: string, module: string): string {
  const text = readFileSync(new URL(`peers/${folder}/go.mod`, import.meta.url), 'utf8')
  const line = text.split('\n').find((candidate) =>
    candidate
      .replace(/^require\s/, '')
      .trim()
      .startsWith(`${module} v`),
  )
  const version = line
    ?.trim()
    .replace(/^require\s+/, '')
    .split(/\s+/)[1]
  if (version === undefined) throw new Error(`peers/${folder}/go.mod does not pin ${module}`)
  return version
}

if (import.meta.main) {
  for (const name of Object.keys(recipes) as PeerName[]) {
    const peer = findPeer(name)
    console.log(
      peer === undefined ? `${name}: missing ${recipes[name].install}` : `${name} ${peer.version} ${peer.path}`,
    )
  }
}
