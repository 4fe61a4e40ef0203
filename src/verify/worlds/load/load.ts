/** All clients of a world. */
import type { Random } from '../../../runtime/index.ts'
import { between, chance, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { CompactionClient } from './compaction-client.ts'
import { FencedResource } from './fenced-resource.ts'
import { type ClientWorld, KvClient } from './kv-client.ts'
import { LeaseClient } from './lease-client.ts'
import { LockClient } from './lock-client.ts'
import { defaultOperatorPlan, Operator, type OperatorPlan } from './operator.ts'
import { Probe } from './probe.ts'
import { WatchClient } from './watch-client.ts'

/** How many clients of each kind a world has. */
export interface LoadShape {
  readonly clients: number
  /** Operations a second that the clients together begin when the cluster answers at once. */
  readonly operationsPerSecond: number
  readonly watchers: number
  readonly leaseClients: number
  readonly lockClients: number
  readonly compacts: boolean
  /** Changes the members. */
  readonly operator: OperatorPlan | undefined
}

export function drawLoad(random: Random): LoadShape {
  return {
    clients: between(random, 4, 8),
    operationsPerSecond: pick(random, [40, 60, 100]),
    watchers: between(random, 2, 5),
    leaseClients: pick(random, [0, 1, 2]),
    lockClients: pick(random, [0, 2, 3]),
    compacts: chance(random, 0.7),
    operator: chance(random, 0.4) ? { ...defaultOperatorPlan, everyMs: pick(random, [500, 2000, 5000]) } : undefined,
  }
}

export class Load {
  private readonly world: ClientWorld
  private readonly clients: { start(): void; stop(): void }[] = []
  private readonly watchers: WatchClient[] = []
  private readonly leaseClients: LeaseClient[] = []
  private readonly operator: Operator
  private readonly changesMembers: boolean
  private probes = 0

  constructor(world: ClientWorld, random: Random, shape: LoadShape) {
    this.world = world
    const thinkMs = (shape.clients * 1000) / shape.operationsPerSecond
    for (let i = 0; i < shape.clients; i++)
      this.clients.push(new KvClient(world, random.fork(`client-${i}`), `c${i}`, thinkMs))
    for (let i = 0; i < shape.watchers; i++)
      this.watchers.push(new WatchClient(world, random.fork(`watcher-${i}`), `w${i}`))
    for (let i = 0; i < shape.leaseClients; i++)
      this.leaseClients.push(new LeaseClient(world, random.fork(`lease-${i}`), `l${i}`))
    const resource = new FencedResource('shared', world.recorder)
    for (let i = 0; i < shape.lockClients; i++)
      this.clients.push(new LockClient(world, random.fork(`lock-${i}`), `h${i}`, 'shared', resource))
    this.operator = new Operator(world, random.fork('operator'), shape.operator ?? defaultOperatorPlan)
    this.changesMembers = shape.operator !== undefined
    if (shape.compacts) this.clients.push(new CompactionClient(world, random.fork('compaction')))
  }

  start(): void {
    for (const client of [...this.clients, ...this.watchers, ...this.leaseClients]) client.start()
    if (this.changesMembers) this.operator.start()
  }

  /** No more changes of members are begun. */
  stopOperator(): void {
    this.operator.stop()
  }

  /** A change of members is under way. */
  get changingMembers(): boolean {
    return this.operator.busy
  }

  /** No more changes of members; `membersSettled` tells when it is certain who they are. */
  settleMembers(): void {
    this.operator.settle()
  }

  get membersSettled(): boolean {
    return this.operator.settled
  }

  /** Nothing more is begun; watchers go on. */
  stop(): void {
    for (const client of [...this.clients, ...this.leaseClients]) client.stop()
  }

  stopWatching(): void {
    for (const watcher of this.watchers) watcher.stop()
  }

  /** After `stop`: no call is under way. */
  get idle(): boolean {
    return this.world.calls.open === 0
  }

  /** After `stop`: every lease has ended, as it must when nobody renews it. */
  get leasesEnded(): boolean {
    return this.leaseClients.every((client) => client.idle)
  }

  /** Every watcher has got everything up to `revision`. */
  watchersHaveSeen(revision: number): boolean {
    return this.watchers.every((watcher) => watcher.hasSeen(revision))
  }

  probe(machines: readonly Machine[]): Probe {
    return new Probe(this.world, `probe${this.probes++}`, machines)
  }
}
