// Real clusters of 1 to 5 server processes on loopback: etcd of either release, or Synod, started alike with etcd's
// own flags. Owns the processes and their temporary folder; both are gone after `stop()`.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeFlags } from '../node-flags.mjs'
import { Member } from './member.ts'
import { requirePeer, skipWithout } from './peers.ts'

/** The kinds of server a cluster can be made of. */
export type ServerKind = 'synod' | 'etcd36' | 'etcd34'

export interface ClusterOptions {
  readonly kind: ServerKind
  /** Members: 1, 3 or 5. Default 3. */
  readonly nodes?: number
  /** Places for members that may join later (`Cluster.join`), named and numbered on from the founders. Default 0. */
  readonly spares?: number
  /** More flags for every member, such as `--quota-backend-bytes=…`. */
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Where the cluster's folder is made; its file system holds the data. Default: the system's temporary folder. */
  readonly parentDir?: string
  /** Keeps the folder at stop, to look into. Default: when SYNOD_KEEP is set. */
  readonly keep?: boolean
}

/** The algorithm that Synod's members run, for the whole suite. */
const consensus = process.env['SYNOD_CONFORMANCE_CONSENSUS']
export const consensusFlags: readonly string[] = consensus === undefined ? [] : ['--consensus', consensus]

const repo = fileURLToPath(new URL('..', import.meta.url))
const folders = new Set<string>()
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** Why clusters of this kind cannot be started here, as node:test's `skip`; false when they can. */
export function skipWithoutServer(kind: ServerKind): string | false {
  return kind === 'synod' ? false : skipWithout(kind)
}

/** Where a member has its place: its name, addresses and files. */
export interface Seat {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly dataDir: string
  readonly logFile: string
}

/** A running cluster. */
export class Cluster {
  readonly kind: ServerKind
  /** The founders, then those who joined, in their order. */
  readonly members: Member[]
  readonly spares: readonly Seat[]
  readonly folder: string
  readonly #keep: boolean
  readonly #seatNewcomer: (seat: Seat, initialCluster: string) => Member

  constructor(
    kind: ServerKind,
    members: readonly Member[],
    folder: string,
    keep: boolean,
    spares: readonly Seat[],
    seatNewcomer: (seat: Seat, initialCluster: string) => Member,
  ) {
    this.kind = kind
    this.members = [...members]
    this.spares = spares
    this.folder = folder
    this.#keep = keep
    this.#seatNewcomer = seatNewcomer
  }

  /** All client addresses, comma-separated, as etcdctl's `--endpoints` takes them. */
  get endpoints(): string {
    return this.members.map((member) => member.endpoint).join(',')
  }

  member(at: number): Member {
    return this.members[at % this.members.length]!
  }

  named(name: string): Member {
    const member = this.members.find((candidate) => candidate.name === name)
    if (member === undefined) throw new Error(`${name} is no member of this cluster`)
    return member
  }

  /**
   * Starts the spare of this name with an empty directory as a member that was added, and waits until it serves.
   * `initialCluster` is what `member add` printed.
   */
  async join(name: string, initialCluster: string): Promise<Member> {
    const seat = this.spares.find((spare) => spare.name === name)
    if (seat === undefined) throw new Error(`this cluster has no spare ${name}`)
    const member = this.#seatNewcomer(seat, initialCluster)
    this.members.push(member)
    member.start()
    await member.ready()
    return member
  }

  async ready(timeoutMs?: number): Promise<void> {
    await Promise.all(this.members.map((member) => member.ready(timeoutMs)))
  }

  /** Ends all members and removes their folder. */
  async stop(): Promise<void> {
    // Nothing is read again from a cluster that ends here, so its members are not asked to end tidily.
    await Promise.all(this.members.map((member) => member.crash()))
    if (!this.#keep) rmSync(this.folder, { recursive: true, force: true })
    folders.delete(this.folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** Starts a cluster on free ports in a new folder and waits until every member serves. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  for (let attempt = 1; ; attempt++) {
    const cluster = await layOut(options)
    try {
      for (const member of cluster.members) member.start()
      await cluster.ready()
      return cluster
    } catch (error) {
      const portTaken = cluster.members.some((member) => /address already in use|EADDRINUSE/.test(member.log()))
      await cluster.stop()
      if (!portTaken || attempt === 3) throw error
    }
  }
}

async function layOut(options: ClusterOptions): Promise<Cluster> {
  const nodes = options.nodes ?? 3
  const keep = options.keep ?? process.env['SYNOD_KEEP'] !== undefined
  const parent = options.parentDir ?? tmpdir()
  mkdirSync(parent, { recursive: true })
  const folder = mkdtempSync(join(parent, `synod-conformance-${options.kind}-`))
  if (!keep) folders.add(folder)
  const ports = await freePorts(2 * (nodes + (options.spares ?? 0)))
  const seats = Array.from({ length: ports.length / 2 }, (_, at) => ({
    name: `n${at + 1}`,
    clientUrl: `http://127.0.0.1:${ports[2 * at]}`,
    peerUrl: `http://127.0.0.1:${ports[2 * at + 1]}`,
    dataDir: join(folder, `n${at + 1}`),
    logFile: join(folder, `n${at + 1}.log`),
  }))
  const founders = seats.slice(0, nodes)
  const initialCluster = founders.map((seat) => `${seat.name}=${seat.peerUrl}`).join(',')
  const seated = (seat: Seat, initialCluster: string, state: 'new' | 'existing'): Member =>
    new Member({
      ...seat,
      cwd: folder,
      env: options.env ?? {},
      command: [
        ...program(options.kind),
        '--name',
        seat.name,
        '--data-dir',
        seat.dataDir,
        '--listen-client-urls',
        seat.clientUrl,
        '--advertise-client-urls',
        seat.clientUrl,
        '--listen-peer-urls',
        seat.peerUrl,
        '--initial-advertise-peer-urls',
        seat.peerUrl,
        '--initial-cluster',
        initialCluster,
        '--initial-cluster-token',
        `conformance-${ports[0]}`,
        '--initial-cluster-state',
        state,
        ...(options.kind === 'synod' ? consensusFlags : []),
        ...(options.flags ?? []),
      ],
    })
  const members = founders.map((seat) => seated(seat, initialCluster, 'new'))
  const seatNewcomer = (seat: Seat, initialCluster: string) => seated(seat, initialCluster, 'existing')
  return new Cluster(options.kind, members, folder, keep, seats.slice(nodes), seatNewcomer)
}

function program(kind: ServerKind): string[] {
  if (kind !== 'synod') return [requirePeer(kind)]
  const entry = join(repo, 'src', 'cli', 'main.ts')
  // Not the launcher: a test that kills by process id must hold the server's own.
  return [join(repo, 'node_modules', '.bin', 'node'), ...nodeFlags, entry, 'node']
}

/**
 * Finds ports that nothing listens on, below the range from which the kernel takes the ports of outgoing
 * connections: a member that restarts must find its own port free.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    if (!ports.has(port) && (await isFree(port))) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
