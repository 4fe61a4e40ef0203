/** The settings of one world's nodes: small bounds, drawn, so that what is rare in a year comes about in seconds. */
import type { WatchHubOptions } from '../../engine/coordination/index.ts'
import type { GroupOptions } from '../../engine/replication/index.ts'
import { type NodeConfig, readNodeConfig } from '../../node/config/index.ts'
import type { Random } from '../../runtime/index.ts'
import { pick } from './chance.ts'

export interface NodeSettings {
  readonly consensus: 'raft' | 'paxos'
  /** Reads by the leader's lease, which holds while clocks drift within the bound. Raft only. */
  readonly leaseReads: boolean
  readonly heartbeatIntervalMs: number
  readonly electionTimeoutMs: number
  readonly groupOptions: Partial<GroupOptions>
  readonly walSegmentBytes: number
  readonly watchOptions: Partial<WatchHubOptions>
}

export const clientPort = 2379
const peerPort = 2380

export function drawSettings(random: Random, consensus: 'raft' | 'paxos'): NodeSettings {
  const electionTimeoutMs = pick(random, [300, 500, 500, 1000])
  return {
    consensus,
    leaseReads: consensus === 'raft' && random.below(4) === 0,
    electionTimeoutMs,
    heartbeatIntervalMs: electionTimeoutMs / pick(random, [5, 10]),
    walSegmentBytes: pick(random, [8, 16, 64, 256]) * 1024,
    groupOptions: {
      tickMs: pick(random, [10, 20]),
      requestTimeoutMs: pick(random, [1500, 3000, 7000]),
      snapshotCount: pick(random, [8, 30, 100, 1000]),
      snapshotLogBytes: pick(random, [500, 4000, 20_000]),
      tailCount: pick(random, [0, 5, 40, 1000]),
      tailBytes: pick(random, [0, 1000, 20_000]),
      lagBytesMax: pick(random, [1000, 8000, 1 << 20]),
      snapshotChunkBytes: pick(random, [64, 1024, 16 * 1024]),
      batchBytesMax: pick(random, [512, 4096, 1 << 20]),
      uncommittedBatchesMax: pick(random, [1, 2, 4]),
      pendingBytesMax: pick(random, [16 * 1024, 1 << 20]),
      undurableBytesMax: pick(random, [4000, 1 << 20]),
      // A negative budget yields after every slice: a backlog is then worked off over many turns.
      applyBudgetMs: pick(random, [-1, 5]),
    },
    watchOptions: {
      progressIntervalMs: pick(random, [300, 2000]),
      deliveryBytesMax: pick(random, [100, 2000, 64 * 1024]),
      sliceChangesMax: pick(random, [1, 10, 1000]),
      turnBudgetMs: pick(random, [-1, 4]),
    },
  }
}

export function peerUrlOf(machine: string): string {
  return `http://${machine}:${peerPort}`
}

/**
 * The configuration of the member on `machine`; `members` are the names that it is to find the cluster by. Each member
 * that ever lives on a machine has a data directory of its own, by `generation`.
 */
export function nodeConfig(
  settings: NodeSettings,
  machine: string,
  members: readonly string[],
  clusterState: 'new' | 'existing',
  generation = 0,
): NodeConfig {
  const flags: Record<string, string> = {
    name: machine,
    'data-dir': `/data-${generation}`,
    'listen-client-urls': `http://${machine}:${clientPort}`,
    'listen-peer-urls': peerUrlOf(machine),
    'initial-cluster': members.map((member) => `${member}=${peerUrlOf(member)}`).join(','),
    'initial-cluster-state': clusterState,
    'heartbeat-interval': String(settings.heartbeatIntervalMs),
    'election-timeout': String(settings.electionTimeoutMs),
    'snapshot-count': '1',
    consensus: settings.consensus,
    'lease-reads': String(settings.leaseReads),
    insecure: 'true',
  }
  return readNodeConfig({
    args: Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`),
    environment: {},
    readFile: () => {
      throw new Error('a simulated node reads no settings file')
    },
  })
}
