/**
 * A watcher over all hot keys that resumes where it was whenever its stream ends, at another node; and that leaves nodes
 * on its own from time to time, to resume more often.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import type { WatchRecord } from '../../history/index.ts'
import type { WatchHandle } from '../client/etcd-api.ts'
import { keysBegin, keysEnd } from './key-space.ts'
import { Seat } from './seat.ts'
import type { WorkloadWorld } from './world.ts'

const stayMsMin = 3000
const stayMsMax = 15_000
const progressIntervalMs = 1000
/** A stream that shows nothing for so long, not even progress, is left. */
const silenceMsMax = 6000

export class WatchWorker {
  readonly name: string
  private readonly world: WorkloadWorld
  private readonly random: Prng
  private readonly seat: Seat
  private sequence = 0
  /** The revision from which the next stream begins: all before it was seen. */
  private nextRevision: number

  constructor(world: WorkloadWorld, name: string, random: Prng, home: number, startRevision: number) {
    this.world = world
    this.name = name
    this.random = random
    this.seat = new Seat(world, name, random, home)
    this.nextRevision = startRevision
  }

  /** Everything up to this revision was delivered. */
  get seenRevision(): number {
    return this.nextRevision - 1
  }

  /** Watches until everything up to the revision `upTo()` was delivered, or `signal` is raised. */
  async run(upTo: () => number, signal: AbortSignal): Promise<void> {
    const finished = (): boolean => signal.aborted || this.seenRevision >= upTo()
    while (!finished()) {
      await this.follow(finished)
      this.seat.moveOn()
      if (!finished()) await delay(20)
    }
    this.seat.close()
  }

  /** One stream, from its creation to its end. */
  private follow(finished: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const stayMs = stayMsMin + this.random.below(stayMsMax - stayMsMin)
      const startMs = this.world.recorder.nowMs()
      let heardMs = startMs
      let handle: WatchHandle | undefined
      let closed = false
      const close = (): void => {
        if (closed) return
        closed = true
        clearInterval(timer)
        handle?.cancel()
        this.record({ event: 'closed' })
        resolve()
      }
      let askedMs = startMs
      const timer = setInterval(() => {
        const nowMs = this.world.recorder.nowMs()
        const stayed = nowMs - startMs > stayMs && !this.world.ended.aborted
        if (stayed || nowMs - heardMs > silenceMsMax || finished()) return close()
        if (nowMs - askedMs < progressIntervalMs) return
        askedMs = nowMs
        handle?.requestProgress()
      }, 50)
      const heard = (): void => {
        heardMs = this.world.recorder.nowMs()
      }
      const request = { key: keysBegin, end: keysEnd, startRevision: this.nextRevision }
      const opened = this.seat.api.watch(request, this.world.operationTimeoutMs, {
        onCreated: () => {
          if (closed) return
          heard()
          this.record({ event: 'created', key: keysBegin, end: keysEnd, startRevision: request.startRevision })
        },
        onEvents: (revision, events) => {
          if (closed) return
          heard()
          this.record({
            event: 'events',
            revision,
            changes: events.map(({ kind, entry }) => ({
              kind,
              key: entry.key,
              value: entry.value,
              modRevision: entry.modRevision,
              createRevision: entry.createRevision,
              version: entry.version,
            })),
          })
          for (const { entry } of events) this.nextRevision = Math.max(this.nextRevision, entry.modRevision + 1)
        },
        onProgress: (revision) => {
          if (closed) return
          heard()
          this.record({ event: 'progress', revision })
          this.nextRevision = Math.max(this.nextRevision, revision + 1)
        },
        onEnd: (_why, compactRevision) => {
          if (closed) return
          if (compactRevision > 0) {
            this.record({ event: 'compacted', compactRevision })
            this.nextRevision = Math.max(this.nextRevision, compactRevision)
          }
          close()
        },
      })
      opened.then(
        (created) => {
          handle = created
          if (closed) created.cancel()
        },
        () => close(),
      )
    })
  }

  private record(what: WatchRecord['what']): void {
    const { recorder } = this.world
    recorder.add({
      type: 'watch',
      watcher: this.name,
      sequence: this.sequence++,
      atMs: recorder.nowMs(),
      node: this.seat.node,
      what,
    })
  }
}
