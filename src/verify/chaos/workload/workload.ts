/** All clients together: who does what, and how they are begun and ended. */
import type { Prng } from '../../../base/index.ts'
import { runBallastWorker } from './ballast-worker.ts'
import { FencedResource } from './fenced-resource.ts'
import { KeySpace } from './key-space.ts'
import { runKvWorker } from './kv-worker.ts'
import { LeaseWorker } from './lease-worker.ts'
import { Ledger, runLedgerWorker } from './ledger-worker.ts'
import { LockWorker } from './lock-worker.ts'
import { WatchWorker } from './watch-worker.ts'
import type { WorkloadWorld } from './world.ts'

/** Of so many clients at least; below that some kinds have none. */
export const clientsMin = 7
const locks = 1

/** How many clients of each kind there are among `clients`. */
export interface Crew {
  readonly kv: number
  readonly ledger: number
  readonly ballast: number
  readonly watch: number
  readonly lease: number
  readonly lock: number
}

export function crewOf(clients: number): Crew {
  const tenth = Math.max(1, Math.round(clients / 10))
  const crew = { ledger: tenth, ballast: 1, watch: tenth, lease: tenth, lock: Math.max(2, tenth) }
  const others = Object.values(crew).reduce((sum, count) => sum + count, 0)
  return { ...crew, kv: Math.max(1, clients - others) }
}

export class Workload {
  readonly ledger = new Ledger()
  readonly watchers: WatchWorker[] = []
  private readonly workers: Promise<void>[] = []
  private readonly watching: Promise<void>[] = []
  /** Watchers may end when they were delivered everything up to it. */
  private lastRevision = Number.POSITIVE_INFINITY
  private readonly watchingEnded = new AbortController()

  /** Begins everything. `fork` gives each client a random stream of its own; `startRevision` is where watchers begin. */
  constructor(world: WorkloadWorld, clients: number, fork: (name: string) => Prng, startRevision: number) {
    const crew = crewOf(clients)
    const keys = new KeySpace(fork('keys'))
    // What the ledger writes counts too.
    const intervalMs = ((crew.kv + crew.ledger) / world.rate) * 1000
    let home = 0
    const each = (kind: string, count: number, begin: (name: string, random: Prng, home: number) => void): void => {
      for (let at = 1; at <= count; at++) begin(`${kind}${at}`, fork(`${kind}${at}`), home++)
    }
    each('c', crew.kv, (name, random, at) => {
      this.workers.push(runKvWorker(world, keys, { name, random, home: at, intervalMs }))
    })
    each('ledger', crew.ledger, (name, random, at) => {
      this.workers.push(runLedgerWorker(world, this.ledger, { name, random, home: at, intervalMs }))
    })
    each('ballast', crew.ballast, (name, random, at) => {
      this.workers.push(runBallastWorker(world, name, random, at))
    })
    each('lease', crew.lease, (name, random, at) => {
      this.workers.push(new LeaseWorker(world, name, random, at).run())
    })
    const resources = Array.from({ length: locks }, (_, at) => new FencedResource(`resource${at + 1}`, world.recorder))
    each('lock', crew.lock, (name, random, at) => {
      const number = at % locks
      this.workers.push(new LockWorker(world, name, random, at, `lock/${number + 1}`, resources[number]!).run())
    })
    each('watch', crew.watch, (name, random, at) => {
      const watcher = new WatchWorker(world, name, random, at, startRevision)
      this.watchers.push(watcher)
      this.watching.push(watcher.run(() => this.lastRevision, this.watchingEnded.signal))
    })
  }

  /** Resolves when every client but the watchers has returned; they do once the world has ended. Rejects as one of them did. */
  async finished(): Promise<void> {
    await Promise.all(this.workers)
  }

  /**
   * Lets the watchers run until each was delivered everything up to `revision`, at most `timeoutMs`. Resolves with those
   * that were not.
   */
  async finishWatching(revision: number, timeoutMs: number): Promise<WatchWorker[]> {
    this.lastRevision = revision
    const timer = setTimeout(() => this.watchingEnded.abort(), timeoutMs)
    await Promise.all(this.watching)
    clearTimeout(timer)
    return this.watchers.filter((watcher) => watcher.seenRevision < revision)
  }
}
