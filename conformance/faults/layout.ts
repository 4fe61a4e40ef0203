// Synod members that differ from one another, where conformance/cluster.ts makes them alike: in their data directory,
// their environment, or the way their peers reach them.
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeFlags } from '../../node-flags.mjs'
import { consensusFlags } from '../cluster.ts'
import { Member } from '../member.ts'

const repo = fileURLToPath(new URL('../..', import.meta.url))

export interface MemberLayout {
  readonly name: string
  readonly dataDir?: string
  readonly env?: Readonly<Record<string, string>>
  readonly flags?: readonly string[]
  /** Where the other members reach it, when that is not where it listens. */
  readonly advertisedPeerUrl?: string
}

/** A member and the arguments of `synod node` that start it. */
export interface Seat {
  readonly member: Member
  readonly args: readonly string[]
}

/** Members of one cluster, not yet started. `folder` gets their logs and, unless said otherwise, their data. */
export async function layOutMembers(folder: string, layouts: readonly MemberLayout[]): Promise<Member[]> {
  return (await layOutSeats(folder, layouts)).map(({ member }) => member)
}

/** As {@link layOutMembers}, with each member's arguments. */
export async function layOutSeats(folder: string, layouts: readonly MemberLayout[]): Promise<Seat[]> {
  const ports = await freePorts(2 * layouts.length)
  const seats = layouts.map((layout, at) => {
    const peerUrl = `http://127.0.0.1:${ports[2 * at + 1]}`
    const clientUrl = `http://127.0.0.1:${ports[2 * at]}`
    return { layout, clientUrl, peerUrl, advertised: layout.advertisedPeerUrl ?? peerUrl }
  })
  const initialCluster = seats.map(({ layout, advertised }) => `${layout.name}=${advertised}`).join(',')
  return seats.map(({ layout, clientUrl, peerUrl, advertised }) => {
    const { name, env = {}, flags = [], dataDir = join(folder, name) } = layout
    const settings = {
      '--name': name,
      '--data-dir': dataDir,
      '--listen-client-urls': clientUrl,
      '--advertise-client-urls': clientUrl,
      '--listen-peer-urls': peerUrl,
      '--initial-advertise-peer-urls': advertised,
      '--initial-cluster': initialCluster,
      '--initial-cluster-token': `faults-${ports[0]}`,
    }
    const args = [...Object.entries(settings).flat(), ...consensusFlags, ...flags]
    const logFile = join(folder, `${name}.log`)
    const command = [...nodeCommand(), ...args]
    return { member: new Member({ name, clientUrl, peerUrl, dataDir, logFile, cwd: folder, env, command }), args }
  })
}

/** The command that runs `synod node`, without the launcher: its process id is the server's own. */
export function nodeCommand(): string[] {
  const node = join(repo, 'node_modules', '.bin', 'node')
  return [node, ...nodeFlags, join(repo, 'src', 'cli', 'main.ts'), 'node']
}

/** Ports that nothing listens on, below those that the kernel gives to outgoing connections. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server: Server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
