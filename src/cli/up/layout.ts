/** Which nodes a `synod up` cluster has and on which ports, kept in its data directory from one run to the next. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Consensus } from '../../node/config/index.ts'
import { CommandError } from '../output.ts'

export interface NodeLayout {
  readonly name: string
  readonly peerPort: number
  /** The client port asked for first; the one in use may be a later one. */
  readonly clientPort: number
}

export interface ClusterLayout {
  readonly version: 1
  readonly token: string
  /** The consensus algorithm; absent in earlier layouts: raft. */
  readonly consensus?: Consensus
  readonly nodes: readonly NodeLayout[]
}

const fileName = 'cluster.json'
export const nodeCounts = [1, 3, 5]
/** etcd's customary ports of a local cluster, and two more. */
const clientPorts = [2379, 22_379, 32_379, 42_379, 52_379]

/**
 * The layout of the cluster in `directory`; makes a new one of `count` nodes (default 3) with `consensus` (default raft)
 * when there is none.
 */
export async function openLayout(
  directory: string,
  count: number | undefined,
  consensus: Consensus | undefined,
): Promise<ClusterLayout> {
  const path = join(directory, fileName)
  if (existsSync(path)) {
    const layout = readLayout(path)
    if (count !== undefined && count !== layout.nodes.length)
      throw new CommandError(
        `${directory} holds a cluster of ${layout.nodes.length} nodes, and --nodes says ${count}. Leave --nodes out to continue it, or name another --data directory.`,
      )
    const { consensus: present = 'raft' } = layout
    if (consensus !== undefined && consensus !== present)
      throw new CommandError(
        `${directory} holds a cluster that runs ${present}, and --consensus says ${consensus}. Leave --consensus out to continue it, or name another --data directory.`,
      )
    return layout
  }
  mkdirSync(directory, { recursive: true })
  if (readdirSync(directory).some((name) => /^n\d+$/.test(name)))
    throw new CommandError(
      `${directory} holds node data but no ${fileName}, which says how the cluster is laid out. Restore that file, or name another --data directory.`,
    )
  const taken = new Set<number>()
  const nodes: NodeLayout[] = []
  for (let i = 0; i < (count ?? 3); i++) {
    const clientPort = clientPorts[i]!
    nodes.push({ name: `n${i + 1}`, clientPort, peerPort: await freePort(clientPort + 1, taken) })
  }
  const token = `synod-${randomBytes(8).toString('hex')}`
  const layout: ClusterLayout = { version: 1, token, consensus: consensus ?? 'raft', nodes }
  writeFileSync(`${path}.tmp`, `${JSON.stringify(layout, undefined, 2)}\n`)
  renameSync(`${path}.tmp`, path)
  return layout
}

function readLayout(path: string): ClusterLayout {
  let layout: ClusterLayout
  try {
    layout = JSON.parse(readFileSync(path, 'utf8')) as ClusterLayout
  } catch (error) {
    throw new CommandError(`${path} cannot be read: ${(error as Error).message}. Restore it from a backup.`)
  }
  if (layout.version !== 1)
    throw new CommandError(`${path} was written by a newer Synod (layout ${String(layout.version)}). Use that one.`)
  return layout
}

/** The first free port from `first` on, not in `taken`; adds it there. */
export async function freePort(first: number, taken: Set<number>): Promise<number> {
  for (let port = first; port < first + 1000 && port < 65_536; port++) {
    if (taken.has(port) || !(await isFree(port))) continue
    taken.add(port)
    return port
  }
  throw new CommandError(`no free port from ${first} on.`)
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
