/** Followers of the keys that writers write: one by all changes, one by the newest state. */
import type { ChangeEvent, Key, Revision } from '../../../client/driver/index.ts'
import { CompactedError, historyOf, latestStates } from '../../../client/watching/index.ts'
import type { Random } from '../../../runtime/index.ts'
import type { WatchChange, WatchRecord } from '../../history/index.ts'
import { chance, pick } from '../chance.ts'
import { Violation } from '../violation.ts'
import type { Activity, ProgramWorld } from './activity.ts'
import { type ClientLife, isExpected } from './client-machine.ts'
import { watchedRange } from './writer-activity.ts'

/** The state of the watched keys, by a linearizable read, when nobody writes them any more. */
export interface FinalState {
  readonly revision: Revision
  readonly modRevisions: ReadonlyMap<Key, Revision>
}

export interface Follower extends Activity {
  hasCaughtUpWith(final: FinalState): boolean
}

/** Follows every change, over its connections and its processes. */
export class HistoryActivity implements Follower {
  readonly name = 'history-watch'
  completed = 0
  private readonly world: ProgramWorld
  private readonly random: Random
  private readonly watcher: string
  private sequence = 0
  /** The first revision that is still due. */
  private due = 1

  constructor(world: ProgramWorld, random: Random, watcher: string) {
    this.world = world
    this.random = random
    this.watcher = watcher
  }

  hasCaughtUpWith({ revision }: FinalState): boolean {
    return this.due > revision
  }

  async run(life: ClientLife): Promise<void> {
    const closed = (): void => this.record({ event: 'closed' })
    life.onEnd.add(closed)
    while (!life.ending.aborted) {
      const { start: key, end } = watchedRange
      this.record({ event: 'created', key, end, startRevision: this.due })
      try {
        await this.follow(life)
      } catch (error) {
        if (!isExpected(error)) throw error
        if (error instanceof CompactedError) {
          this.world.recorder.count('program watch compacted')
          this.record({ event: 'compacted', compactRevision: error.compactRevision })
          this.due = error.compactRevision
        }
      }
      closed()
    }
    life.onEnd.delete(closed)
  }

  private async follow(life: ClientLife): Promise<void> {
    const { random } = this
    const bufferedEventsMax = pick(random, [1, 5, 10_000])
    // Left and begun again now and then.
    const batchesMax = pick(random, [5, 100, 1e9])
    let batches = 0
    const options = { signal: life.ending, bufferedEventsMax }
    for await (const { events, revision } of historyOf(life.context.driver, watchedRange, this.due, options)) {
      if (events.length > 0) {
        this.record({ event: 'events', revision, changes: events.map(changeOf) })
        this.completed++
      } else this.record({ event: 'progress', revision })
      this.due = revision + 1
      if (++batches >= batchesMax) return
      if (chance(random, 0.05)) await life.sleep(random.below(1000))
    }
  }

  private record(what: WatchRecord['what']): void {
    const { recorder } = this.world
    recorder.add({ type: 'watch', watcher: this.watcher, sequence: this.sequence++, atMs: recorder.nowMs, what })
  }
}

function changeOf(event: ChangeEvent): WatchChange {
  if (event.type === 'delete')
    return { kind: 'delete', key: event.key, value: '', modRevision: event.revision, createRevision: 0, version: 0 }
  const { key, value, modRevision, createRevision, version } = event.entry
  return { kind: 'put', key, value: Buffer.from(value).toString('latin1'), modRevision, createRevision, version }
}

/** Follows the newest state: it may leave out what was between, and never goes back. */
export class LatestActivity implements Follower {
  readonly name = 'latest-watch'
  completed = 0
  private readonly random: Random
  private readonly watcher: string
  private shown: ReadonlyMap<Key, Revision> = new Map()

  constructor(random: Random, watcher: string) {
    this.random = random
    this.watcher = watcher
  }

  hasCaughtUpWith({ modRevisions }: FinalState): boolean {
    const { shown } = this
    return shown.size === modRevisions.size && [...modRevisions].every(([key, revision]) => shown.get(key) === revision)
  }

  async run(life: ClientLife): Promise<void> {
    while (!life.ending.aborted) {
      try {
        await this.follow(life)
      } catch (error) {
        if (!isExpected(error)) throw error
      }
    }
  }

  private async follow(life: ClientLife): Promise<void> {
    let seenRevision = 0
    for await (const { entries, revision } of latestStates(life.context.driver, watchedRange, {
      signal: life.ending,
    })) {
      if (revision < seenRevision)
        throw new Violation('watch', `${this.watcher} was shown revision ${revision} after ${seenRevision}`)
      for (const [key, { modRevision }] of entries)
        if (modRevision > revision || modRevision < (this.shown.get(key) ?? 0))
          throw new Violation('watch', `${this.watcher} was shown ${key} of ${modRevision} at revision ${revision}`)
      seenRevision = revision
      this.shown = new Map([...entries].map(([key, { modRevision }]) => [key, modRevision]))
      this.completed++
      if (chance(this.random, 0.1)) await life.sleep(this.random.below(500))
    }
  }
}
