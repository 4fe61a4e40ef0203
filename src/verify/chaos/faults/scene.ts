/** What a fault works on. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { EtcdClient } from '../client/etcd-client.ts'
import type { ChaosCluster } from '../cluster/chaos-cluster.ts'
import type { ChaosNode } from '../cluster/chaos-node.ts'
import type { LeaderMonitor } from '../cluster/leader-monitor.ts'
import type { Direction } from '../relay/link-rule.ts'

/** How long the nodes may take to answer what a fault asks of them, in milliseconds. */
export const controlTimeoutMs = 5000

export class FaultScene {
  readonly cluster: ChaosCluster
  private readonly monitor: LeaderMonitor
  private readonly healing: AbortSignal
  private readonly clients = new Map<string, EtcdClient>()
  private joiners = 0

  /** Once `healing` is raised, every fault ends what it did as soon as it can. */
  constructor(cluster: ChaosCluster, monitor: LeaderMonitor, healing: AbortSignal) {
    this.cluster = cluster
    this.monitor = monitor
    this.healing = healing
  }

  get isHealing(): boolean {
    return this.healing.aborted
  }

  get leader(): ChaosNode | undefined {
    return this.cluster.nodes.find((node) => node.name === this.monitor.leader)
  }

  /** A name that no node has had. */
  nameJoiner(): string {
    return `x${++this.joiners}`
  }

  /** Waits so long, or until the world is to heal. */
  async hold(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.healing }).catch(() => {})
  }

  /** A connection to `node` for what faults ask. */
  client(node: ChaosNode): EtcdClient {
    let client = this.clients.get(node.clientUrl)
    if (client === undefined) this.clients.set(node.clientUrl, (client = new EtcdClient(node.clientUrl)))
    return client
  }

  close(): void {
    for (const client of this.clients.values()) client.close()
  }

  /** The leader, half of the time; else any node. */
  pickNode(random: Prng): ChaosNode {
    const wantsLeader = random.below(2) === 0
    const nodes = this.cluster.nodes
    const drawn = nodes[random.below(nodes.length)]!
    return wantsLeader ? (this.leader ?? drawn) : drawn
  }

  /** For people: the node, and whether it leads. */
  describe(node: ChaosNode): string {
    return node === this.leader ? `${node.name} (leader)` : node.name
  }
}

/** All ordered pairs with one node of each list. */
export function directionsBetween(from: readonly ChaosNode[], to: readonly ChaosNode[]): Direction[] {
  return from.flatMap((a) => to.filter((b) => b !== a).map((b) => ({ from: a.name, to: b.name })))
}

/** The same pairs the other way. */
export function reversed(directions: readonly Direction[]): Direction[] {
  return directions.map(({ from, to }) => ({ from: to, to: from }))
}
