/** Asks every node again and again who leads, and records each leadership that it sees. */
import { setTimeout as delay } from 'node:timers/promises'
import { EtcdClient } from '../client/etcd-client.ts'
import type { Recorder } from '../recorder.ts'
import type { ChaosCluster } from './chaos-cluster.ts'
import type { ChaosNode } from './chaos-node.ts'

const intervalMs = 100
const statusTimeoutMs = 1000

export class LeaderMonitor {
  private readonly cluster: ChaosCluster
  private readonly recorder: Recorder
  private readonly clients = new Map<string, EtcdClient>()
  private readonly asking = new Set<string>()
  /** `term/node` of each leadership seen. */
  private readonly seen = new Set<string>()
  private latest: { readonly node: string; readonly term: number } | undefined

  constructor(cluster: ChaosCluster, recorder: Recorder) {
    this.cluster = cluster
    this.recorder = recorder
  }

  /** The node that said last, and of the latest term, that it leads. */
  get leader(): string | undefined {
    return this.latest?.node
  }

  get term(): number {
    return this.latest?.term ?? 0
  }

  /** How many leaderships were seen, the first included. */
  get leaderships(): number {
    return this.seen.size
  }

  async run(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      for (const node of this.cluster.nodes) if (!this.asking.has(node.name)) this.ask(node)
      await delay(intervalMs)
    }
    for (const client of this.clients.values()) client.close()
  }

  /** A node that does not answer holds up nobody. */
  private ask(node: ChaosNode): void {
    let client = this.clients.get(node.name)
    if (client === undefined) this.clients.set(node.name, (client = new EtcdClient(node.clientUrl)))
    this.asking.add(node.name)
    client
      .status(statusTimeoutMs)
      .then(
        ({ memberId, leaderId, term }) => {
          if (leaderId === memberId) this.note(node.name, term)
        },
        () => {},
      )
      .finally(() => this.asking.delete(node.name))
  }

  private note(node: string, term: number): void {
    if (this.latest === undefined || term >= this.latest.term) this.latest = { node, term }
    const key = `${term}/${node}`
    if (this.seen.has(key)) return
    this.seen.add(key)
    this.recorder.add({ type: 'leader', term, node, atMs: this.recorder.nowMs() })
  }
}
