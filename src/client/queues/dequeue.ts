/**
 * Claiming the oldest job that nobody claims, and waiting for one.
 *
 * - W1  A claim is a leased key, made in a transaction that holds only while the job is there and unclaimed.
 * - W2  Workers that find nothing stand in line, and only the first watches the queue, so that a job wakes one. It leaves
 *       the line with the claim it gets, and so makes the next one first.
 * - W3  A call that ends without a job leaves no claim and no place in the line behind.
 */
import { utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, unescapedName } from '../context.ts'
import type { CallOptions, Entry, Key, KeyRange } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { readTokenFloor } from '../locks/index.ts'
import type { Session } from '../sessions/index.ts'
import {
  awaitTurn,
  endingWith,
  freshId,
  isBefore,
  isStill,
  LeasedKey,
  lastingAsLongAs,
  persist,
} from '../turns/index.ts'
import { latestStates } from '../watching/index.ts'
import { ClaimedJob, type Job } from './job.ts'
import type { QueueKeys } from './queue-keys.ts'

/** One call to dequeue. */
export class Claimant {
  private readonly context: PlaneContext
  private readonly keys: QueueKeys
  private readonly session: Session
  private readonly limits: CallOptions

  constructor(context: PlaneContext, keys: QueueKeys, session: Session, limits: CallOptions) {
    this.context = context
    this.keys = keys
    this.session = session
    this.limits = limits
  }

  /** The oldest free job; undefined when there is none. */
  async claimNow(): Promise<Job | undefined> {
    const free = await this.inSession((limits) => this.listFree(limits))
    return this.claimFirst(free, undefined)
  }

  /** The oldest free job, once there is one. */
  async claim(): Promise<Job> {
    return (await this.claimNow()) ?? this.waitInLine()
  }

  private async waitInLine(): Promise<Job> {
    const { driver } = this.context
    const id = `${this.session.id}-${freshId(driver.outside)}`
    const place = new LeasedKey(driver, this.session, {
      key: this.keys.waiter(id),
      markKey: this.keys.withdrawn(id),
      value: utf8Bytes(id),
    })
    try {
      await place.make(this.limits)
      const turn = await this.inSession((limits) => awaitTurn(driver, this.keys.waiting, place, limits))
      if (turn === 'gone')
        throw new SynodError('NOT_FOUND', 'the place in line was deleted from outside; dequeue again')
      return await this.claimAsFirst(place)
    } finally {
      this.takeBack(place)
    }
  }

  /** Follows the jobs, and the claims whose end sets a job free. */
  private async claimAsFirst(place: LeasedKey): Promise<Job> {
    return this.inSession(async (limits) => {
      for await (const { entries } of latestStates(this.context.driver, this.keys.all, limits)) {
        const job = await this.claimFirst(freeOf(entries, this.keys), place.key)
        if (job !== undefined) return job
      }
      throw new SynodError('CLOSED', 'the queue cannot be watched any more')
    })
  }

  private async claimFirst(free: readonly Entry[], placeKey: Key | undefined): Promise<Job | undefined> {
    for (const entry of free) {
      const job = await this.claimOne(entry, placeKey)
      if (job !== undefined) return job
    }
    return undefined
  }

  /** Undefined: somebody else was faster. */
  private async claimOne(found: Entry, placeKey: Key | undefined): Promise<Job | undefined> {
    const { context, keys, session, limits } = this
    const { driver } = context
    const part = found.key.slice(keys.jobs.start.length)
    const unique = `${session.id}-${freshId(driver.outside)}`
    const claim = new LeasedKey(driver, session, {
      key: keys.claim(part),
      markKey: keys.withdrawn(unique),
      value: utf8Bytes(unique),
    })
    const leaveLine = placeKey === undefined ? [] : [{ type: 'delete', key: placeKey } as const]
    try {
      const made = await claim.make(limits, {
        compares: [isStill(found.key, found.createRevision)],
        operations: [{ type: 'get', key: found.key }, ...leaveLine],
      })
      if (!made.made) {
        this.takeBack(claim)
        return undefined
      }
      const [read] = made.results ?? []
      const entry = read?.type === 'get' ? read.entry : await this.inSession((call) => this.readJob(found.key, call))
      // Claimed, and gone: only somebody from outside deletes a job that is claimed.
      if (entry === undefined) throw new SynodError('NOT_FOUND', 'the job was deleted from outside; dequeue again')
      const floor = await this.inSession((call) => readTokenFloor(context, call))
      // A process that stood still may have been told all this after its session was over.
      session.assertAlive()
      return new ClaimedJob(context, { id: unescapedName(part), entry, claim, session, floor })
    } catch (error) {
      this.takeBack(claim)
      throw error
    }
  }

  private async readJob(key: Key, limits: CallOptions): Promise<Entry | undefined> {
    const { driver } = this.context
    return (await persist(driver.outside, limits, (call) => driver.get(key, call))).entry
  }

  private async listFree(limits: CallOptions): Promise<Entry[]> {
    const { driver } = this.context
    const list = (range: KeyRange): Promise<readonly Entry[]> =>
      persist(driver.outside, limits, async (call) => (await driver.list(range, { ...call, keysOnly: true })).entries)
    // Whatever changes between the two is found out by the claim, which holds only of a job that is free then.
    const claims = await list(this.keys.claims)
    const jobs = await list(this.keys.jobs)
    return freeOf(new Map([...claims, ...jobs].map((entry) => [entry.key, entry])), this.keys)
  }

  private inSession<T>(work: (limits: CallOptions) => Promise<T>): Promise<T> {
    return endingWith(this.session, this.limits, () => work(lastingAsLongAs(this.session, this.limits)))
  }

  private takeBack(key: LeasedKey): void {
    key.withdraw().catch((cause: unknown) => {
      const fields = { key: key.key, cause: String(cause) }
      this.context.driver.outside.logger.warn('a key of a queue stays until its session ends', fields)
    })
  }
}

/** The jobs without a claim, the oldest first. */
export function freeOf(entries: ReadonlyMap<Key, Entry>, keys: QueueKeys): Entry[] {
  const free: Entry[] = []
  for (const entry of entries.values()) {
    if (!entry.key.startsWith(keys.jobs.start)) continue
    if (!entries.has(keys.claims.start + entry.key.slice(keys.jobs.start.length))) free.push(entry)
  }
  return free.sort((a, b) => (isBefore(a, b) ? -1 : 1))
}
