/**
 * A client that follows a range of keys: it starts at a revision, goes on where it was after its connection ended, on
 * the same node or another, is slow now and then, and asks for progress.
 *
 * - A1  Messages arrive in the order sent. Those under way when the connection ends are lost; what they held is due again.
 */
import type { WatchDelivery, WatchSink } from '../../../engine/coordination/index.ts'
import type { RunningNode } from '../../../node/index.ts'
import type { Random } from '../../../runtime/index.ts'
import type { WatchChange, WatchRecord } from '../../history/index.ts'
import { chance, exponential, pick } from '../chance.ts'
import type { Life, Machine } from '../machine.ts'
import type { ClientWorld } from './kv-client.ts'

const ranges: readonly { readonly key: string; readonly end?: string }[] = [
  { key: 'a0.0' },
  { key: 'j0.0' },
  { key: 'a', end: 'b' },
  { key: 'j', end: 'k' },
  { key: 'a', end: 'z' },
  { key: 'lease/', end: 'lock~' },
]

const connectTimeoutMs = 3000

/** One connection with one node, from creation to its end. */
interface Connection {
  readonly life: Life
  readonly machine: Machine
  readonly delayMs: number
  readonly close: () => void
  /** The node ended. */
  readonly lose: () => void
  open: boolean
}

export class WatchClient {
  private readonly world: ClientWorld
  private readonly random: Random
  private readonly name: string
  private readonly range: { readonly key: string; readonly end?: string }
  private readonly livesMs: number
  private sequence = 0
  /** The first revision that is still due. 0: begin with what comes next. */
  private due: number
  private connection: Connection | undefined
  private stopped = false

  constructor(world: ClientWorld, random: Random, name: string) {
    this.world = world
    this.random = random
    this.name = name
    this.range = pick(random, ranges)
    this.livesMs = pick(random, [500, 3000, 20_000])
    this.due = pick(random, [0, 1, 1])
  }

  start(): void {
    this.connectLater(this.random.below(1000))
  }

  /** Everything up to `revision` has arrived, as far as the node told. */
  hasSeen(revision: number): boolean {
    return this.due > revision
  }

  /** Ends it, with its connection. */
  stop(): void {
    this.stopped = true
    this.connection?.close()
  }

  private connectLater(delayMs: number): void {
    this.world.simulation.after(delayMs, () => {
      if (!this.stopped) this.connect(pick(this.random, this.world.cluster.members))
    })
  }

  private connect(machine: Machine): void {
    const { life } = machine
    const running = life?.running
    if (life === undefined || running === undefined) {
      this.connectLater(50 + this.random.below(200))
      return
    }
    // Should the node end before it hears of this, or stand still for long, another one has to be found.
    let pending = true
    const giveUp = (): void => {
      life.onEnd.delete(giveUp)
      if (pending) this.connectLater(50)
      pending = false
    }
    life.onEnd.add(giveUp)
    this.world.simulation.after(connectTimeoutMs, giveUp)
    life.runtime.scheduler.setTimer(0.1 + this.random.float(), () => {
      if (!pending || this.stopped) return
      pending = false
      this.create(machine, life, running)
    })
  }

  private create(machine: Machine, life: Life, running: RunningNode): void {
    const hub = running.services.watchHub
    const startRevision = this.due === 0 ? running.services.engine.revision + 1 : this.due
    this.due = startRevision
    const stream = hub.openStream(this.sinkOf(() => connection))
    const connection: Connection = {
      life,
      machine,
      delayMs: pick(this.random, [0.2, 1, 30]),
      open: true,
      close: () => {
        if (!connection.open) return
        life.runtime.scheduler.setTimer(0.1, () => stream.close())
        this.closed(connection)
      },
      lose: () => this.closed(connection),
    }
    life.onEnd.add(connection.lose)
    this.connection = connection
    this.record({ event: 'created', ...this.range, startRevision })
    stream.create({
      range: { key: this.range.key, end: this.range.end },
      startRevision,
      watchId: 1n,
      progressNotify: true,
      noPut: false,
      noDelete: false,
    })
    const askProgress = (): void => {
      if (!connection.open) return
      stream.requestProgress()
      life.runtime.scheduler.setTimer(200 + this.random.below(1500), askProgress)
    }
    askProgress()
    this.world.simulation.after(exponential(this.random, this.livesMs), () => connection.close())
    this.drain = () => life.runtime.scheduler.setTimer(this.random.below(300), () => stream.drained())
  }

  /** Has a stream that was refused read on later. Belongs to the present connection. */
  private drain: () => void = () => {}

  private sinkOf(connection: () => Connection): WatchSink {
    const deliver = (receive: () => void): void => {
      const to = connection()
      this.world.simulation.after(to.delayMs, () => {
        if (to.open) receive()
      })
    }
    return {
      events: (delivery) => {
        const changes = delivery.events.map((event) => changeOf(delivery, event.ref))
        const { revision } = delivery.store
        deliver(() => this.receive(changes, revision))
        const more = !chance(this.random, 0.1)
        if (!more) this.drain()
        return more
      },
      progress: (_, revision) => deliver(() => this.progress(revision)),
      compacted: (_, compactRevision) => deliver(() => this.compacted(compactRevision)),
    }
  }

  private receive(changes: readonly WatchChange[], revision: number): void {
    this.record({ event: 'events', revision, changes })
    this.world.recorder.count('watch events', changes.length)
    this.due = (changes.at(-1) as WatchChange).modRevision + 1
  }

  private progress(revision: number): void {
    this.record({ event: 'progress', revision })
    this.world.recorder.count('watch progress')
    this.due = Math.max(this.due, revision + 1)
  }

  /** The history it asked for is gone: it begins again with what is left. */
  private compacted(compactRevision: number): void {
    this.record({ event: 'compacted', compactRevision })
    this.world.recorder.count('watch compacted')
    this.due = compactRevision
    this.connection?.close()
  }

  private closed(connection: Connection): void {
    if (!connection.open) return
    connection.open = false
    connection.life.onEnd.delete(connection.lose)
    this.connection = undefined
    this.record({ event: 'closed' })
    this.world.recorder.count('watch resumed')
    this.connectLater(this.random.below(400))
  }

  private record(what: WatchRecord['what']): void {
    const { recorder } = this.world
    recorder.add({
      type: 'watch',
      watcher: this.name,
      sequence: this.sequence++,
      atMs: recorder.nowMs,
      ...(this.connection === undefined ? {} : { node: this.connection.machine.name }),
      what,
    })
  }
}

function changeOf({ store }: WatchDelivery, ref: number): WatchChange {
  const { key, createRevision, modRevision, version, lease, tombstone } = store.fields(ref)
  return {
    kind: tombstone ? 'delete' : 'put',
    key,
    value: tombstone ? '' : Buffer.from(store.value(ref)).toString('latin1'),
    modRevision,
    createRevision,
    version,
    ...(lease === 0n ? {} : { lease: lease.toString(16) }),
  }
}
