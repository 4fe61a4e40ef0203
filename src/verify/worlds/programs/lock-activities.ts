/**
 * Holders of every kind of lock: each takes it, writes with its token to what the lock protects, and lets go; or leaves it
 * to the end of its session, or stands still and writes when it wakes up.
 */
import { createElection } from '../../../client/elections/index.ts'
import { createLock, createMultiLock, createRwLock, createSemaphore } from '../../../client/locks/index.ts'
import type { Random } from '../../../runtime/index.ts'
import { chance, pick } from '../chance.ts'
import { type ProgramWorld, TurnActivity } from './activity.ts'
import type { ClientLife } from './client-machine.ts'
import { recordHold } from './hold-record.ts'

/** Some hold on for so long that it is most often their session's end that takes it from them. */
export interface LongHolds {
  readonly share: number
  readonly lastMs: number
}

/** What a turn got hold of. */
interface Hold {
  readonly signal: AbortSignal
  remainingMs(): number
  release(): Promise<void>
}

abstract class LockActivity extends TurnActivity {
  private readonly longHolds: LongHolds

  constructor(world: ProgramWorld, random: Random, pauseMs: number, longHolds: LongHolds) {
    super(world, random, pauseMs)
    this.longHolds = longHolds
  }

  protected waitMs(): number {
    return pick(this.random, [300, 1500, 6000])
  }

  /** Works under what is held, and lets go. `grants`: each lock that came with it, and its token. */
  protected async hold(
    life: ClientLife,
    held: Hold,
    grants: readonly { readonly lock: string; readonly token: number; readonly shared?: boolean }[],
  ): Promise<boolean> {
    const { world, random } = this
    for (const grant of grants) recordHold(world, life, held, grant)
    const { share, lastMs } = this.longHolds
    const isLong = chance(random, share)
    const enoughMs = world.recorder.nowMs + random.below(lastMs)
    const rounds = random.below(pick(random, [2, 6]))
    for (let i = 0; !held.signal.aborted; i++) {
      if (life.stopping.aborted || (isLong && !world.isHealed() ? world.recorder.nowMs >= enoughMs : i >= rounds)) break
      await life.sleep(random.below(pick(random, [10, 100, 400])))
      // Some look at the clock before they write, and some do not: the token must stop those that come late.
      if (chance(random, 0.5) && held.remainingMs() === 0) break
      for (const { lock, token, shared } of grants) if (shared !== true) world.resource(lock).write(token)
    }
    await held.release()
    return true
  }
}

export class MutexActivity extends LockActivity {
  readonly name = 'mutex'

  protected begin(life: ClientLife): () => Promise<boolean> {
    const lock = createLock(life.context, 'm', { lockDelayMs: chance(this.random, 0.2) ? 200 : 0 })
    return async () => {
      const held = chance(this.random, 0.2)
        ? await lock.tryAcquire({ signal: life.stopping })
        : await lock.acquire({ waitMs: this.waitMs(), signal: life.stopping })
      if (held === undefined) return false
      return this.hold(life, held, [{ lock: 'mutex/m', token: held.fencingToken }])
    }
  }
}

/** Takes two mutexes, one of which is everybody's. */
export class MultiLockActivity extends LockActivity {
  readonly name = 'multi-lock'

  protected begin(life: ClientLife): () => Promise<boolean> {
    const lock = createMultiLock(life.context, ['m', 'second'])
    return async () => {
      const held = await lock.acquire({ waitMs: this.waitMs(), signal: life.stopping })
      return this.hold(
        life,
        held,
        held.locks.map(({ name, fencingToken }) => ({ lock: `mutex/${name}`, token: fencingToken })),
      )
    }
  }
}

export class RwLockActivity extends LockActivity {
  readonly name = 'rw-lock'

  protected begin(life: ClientLife): () => Promise<boolean> {
    const { read, write } = createRwLock(life.context, 'rw')
    return async () => {
      const options = { waitMs: this.waitMs(), signal: life.stopping }
      if (chance(this.random, 0.4)) {
        const held = await write.acquire(options)
        return this.hold(life, held, [{ lock: 'rw-lock/rw', token: held.fencingToken }])
      }
      const held = await read.acquire(options)
      return this.hold(life, held, [{ lock: 'rw-lock/rw', token: held.generation, shared: true }])
    }
  }
}

export class SemaphoreActivity extends LockActivity {
  readonly name = 'semaphore'

  protected begin(life: ClientLife): () => Promise<boolean> {
    const semaphore = createSemaphore(life.context, 's', 2)
    return async () => {
      const held = await semaphore.acquire({ waitMs: this.waitMs(), signal: life.stopping })
      return this.hold(life, held, [{ lock: `semaphore/s/${held.slot}`, token: held.fencingToken }])
    }
  }
}

export class ElectionActivity extends LockActivity {
  readonly name = 'election'

  protected begin(life: ClientLife): () => Promise<boolean> {
    const election = createElection(life.context, 'e')
    return async () => {
      const value = `${life.name} at first`
      const leadership = await election.campaign({ value, waitMs: this.waitMs(), signal: life.stopping })
      const proclaiming = chance(this.random, 0.5)
        ? leadership.proclaim(`${life.name} later`, { timeoutMs: 1000 }).catch(() => {})
        : undefined
      const held = {
        signal: leadership.signal,
        remainingMs: () => leadership.remainingMs(),
        release: () => leadership.resign(),
      }
      const done = await this.hold(life, held, [{ lock: 'election/e', token: leadership.fencingToken }])
      await proclaiming
      return done
    }
  }
}
