/** All clients of a world. */
import type { Random } from '../../../runtime/index.ts'
import { between, chance, pick } from '../chance.ts'
import type { Machine } from '../machine.ts'
import { CompactionClient } from './compaction-client.ts'
import { FencedResource } from './fenced-resource.ts'
import { type ClientWorld, KvClient } from './kv-client.ts'
import { LeaseClient } from './lease-client.ts'
import { LockClient } from './lock-client.ts'
import { Probe } from './probe.ts'
import { WatchClient } from './watch-client.ts'

export class Load {
  private readonly world: ClientWorld
  private readonly clients: { start(): void; stop(): void }[] = []
  private readonly watchers: WatchClient[] = []
  private readonly leaseClients: LeaseClient[] = []
  private probes = 0

  constructor(world: ClientWorld, random: Random) {
    this.world = world
    const count = between(random, 4, 8)
    // Together at least 25 operations a second when the cluster answers.
    const thinkMs = (count * 1000) / pick(random, [30, 45, 80])
    for (let i = 0; i < count; i++) this.clients.push(new KvClient(world, random.fork(`client-${i}`), `c${i}`, thinkMs))
    const watchers = between(random, 2, 5)
    for (let i = 0; i < watchers; i++) this.watchers.push(new WatchClient(world, random.fork(`watcher-${i}`), `w${i}`))
    if (chance(random, 0.7))
      for (const i of [0, 1]) this.leaseClients.push(new LeaseClient(world, random.fork(`lease-${i}`), `l${i}`))
    if (chance(random, 0.7)) this.addLock(random)
    if (chance(random, 0.7)) this.clients.push(new CompactionClient(world, random.fork('compaction')))
  }

  private addLock(random: Random): void {
    const resource = new FencedResource('shared', this.world.recorder)
    for (const i of [0, 1, 2])
      this.clients.push(new LockClient(this.world, random.fork(`lock-${i}`), `h${i}`, 'shared', resource))
  }

  start(): void {
    for (const client of [...this.clients, ...this.watchers, ...this.leaseClients]) client.start()
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
