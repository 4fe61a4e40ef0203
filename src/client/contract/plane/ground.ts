/** What the parts of the plane's contract share: programs on the engine under test, names of one's own, and waiting. */
import assert from 'node:assert/strict'
import { createNodeRuntime } from '../../../runtime/node/index.ts'
import {
  type CommonPlane,
  type CoordinationPlane,
  type HistoryPlane,
  type Outcome,
  type Session,
  type StandardSchema,
  SynodError,
  type SynodErrorCode,
} from '../../index.ts'

/** An engine, as programs reach it. */
export interface PlaneSubject {
  /** One connection that all tests share. */
  readonly plane: CommonPlane
  /** A connection as another program has it. Undefined where the engine lives inside this one. */
  readonly another?: (() => Promise<CommonPlane>) | undefined
  /** How many wait for the lock of this name. Default: as the key space tells. */
  readonly inLine?: ((lock: string) => Promise<number>) | undefined
  /** Ends the engine. The suite has closed the connections. */
  close(): Promise<void>
}

const patienceMs = 20_000
const pollMs = 10
const sessionTtlMs = 5_000
const { clock, random, scheduler } = createNodeRuntime({ logLevel: 'error' })

/** The programs of a whole run of the suite. */
export class PlaneWorld {
  readonly subject: PlaneSubject
  private readonly others: Promise<CommonPlane>[] = []

  constructor(subject: PlaneSubject) {
    this.subject = subject
  }

  /** Each on a connection of its own, where there can be several; otherwise they share one, as parts of one program. */
  programs(count: number): Promise<CommonPlane[]> {
    const { plane, another } = this.subject
    if (another === undefined) return Promise.resolve(Array.from({ length: count }, () => plane))
    while (this.others.length < count - 1) this.others.push(another())
    return Promise.all([plane, ...this.others.slice(0, count - 1)])
  }

  async close(): Promise<void> {
    for (const plane of await Promise.all(this.others)) await plane.close()
    await this.subject.plane.close()
    await this.subject.close()
  }
}

/** One test's view. */
export class PlaneGround<P extends CommonPlane> {
  readonly plane: P
  private readonly world: PlaneWorld
  private readonly prefix = `plane-${Buffer.from(random.bytes(6)).toString('hex')}`
  private readonly sessions: Session[] = []

  constructor(world: PlaneWorld) {
    this.world = world
    this.plane = world.subject.plane as P
  }

  /** A name, or key, that only this test uses. */
  name(what = 'it'): string {
    return `${this.prefix}/${what}`
  }

  /** What as many programs see, see {@link PlaneWorld.programs}. */
  async programs(count: number): Promise<P[]> {
    return (await this.world.programs(count)) as P[]
  }

  /** A connection that the test closes. Only for promises of `between: 'programs'`. */
  anotherConnection(): Promise<P> {
    return this.world.subject.another!() as Promise<P>
  }

  /** A session of its own, which ends with the test at the latest. */
  async session(plane: CoordinationPlane, ttlMs = sessionTtlMs): Promise<Session> {
    const session = await plane.session({ ttlMs })
    this.sessions.push(session)
    return session
  }

  /** How many want a lock; whether its holder counts, is the engine's choice. */
  async inLine(lock: string): Promise<number> {
    const { inLine } = this.world.subject
    if (inLine !== undefined) return inLine(lock)
    // A subject that has no other way to tell has a key space.
    const { kv } = this.plane as unknown as CoordinationPlane
    return (await listed(kv.list({ prefix: `synod/locks/${lock.replaceAll('/', '%2F')}/`, keysOnly: true }))).length
  }

  async end(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.close()))
  }

  get nowMs(): number {
    return clock.monotonicMs()
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void scheduler.setTimer(ms, () => resolve()))
  }

  /** Waits until it holds; fails when it does not come about. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const untilMs = this.nowMs + patienceMs
    while (!(await holds())) {
      assert.ok(this.nowMs < untilMs, `in time: ${what}`)
      await this.pause(pollMs)
    }
  }
}

/** What a promise needs of the engine: `every` plane has it, or only those with more. */
export type PromiseLevel = 'every' | 'coordination' | 'history'

/** Something that a program may rely on, and the test of it. */
export interface PlanePromise {
  readonly section: string
  readonly title: string
  readonly level: PromiseLevel
  /** Whether it is about several programs, which an engine inside one of them has not. */
  readonly between?: 'programs' | undefined
  readonly body: (ground: PlaneGround<HistoryPlane>) => Promise<void>
}

type Body<P extends CommonPlane> = (ground: PlaneGround<P>) => Promise<void>

/** Collects the promises of one section. */
export class PromiseList {
  readonly section: string
  readonly promises: PlanePromise[] = []

  constructor(section: string) {
    this.section = section
  }

  /** Every engine keeps it. */
  onEvery(title: string, body: Body<CommonPlane>, between?: 'programs'): void {
    this.add('every', title, body, between)
  }

  /** Engines with a key space, sessions and transactions keep it. */
  onCoordination(title: string, body: Body<CoordinationPlane>, between?: 'programs'): void {
    this.add('coordination', title, body, between)
  }

  /** Engines that keep history keep it. */
  onHistory(title: string, body: Body<HistoryPlane>, between?: 'programs'): void {
    this.add('history', title, body, between)
  }

  private add<P extends CommonPlane>(
    level: PromiseLevel,
    title: string,
    body: Body<P>,
    between: 'programs' | undefined,
  ): void {
    // The contract runs it only where the engine's plane is at least a `P`.
    const run = body as unknown as PlanePromise['body']
    this.promises.push({ section: this.section, title, level, between, body: run })
  }
}

/** For `assert.rejects`. */
export function failsWith(code: SynodErrorCode, outcome?: Outcome): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, `a SynodError, not ${String(error)}`)
    assert.equal(error.code, code, error.message)
    if (outcome !== undefined) assert.equal(error.outcome, outcome, error.message)
    assert.ok(error.message.length > 20, 'says what happened')
    return true
  }
}

/** For calls that throw at once. */
export function throwsWith(code: SynodErrorCode): (error: unknown) => boolean {
  return failsWith(code)
}

/** A schema as validators make them: objects whose `size` is a number, 0 when missing. */
export const sizeSchema: StandardSchema<{ size?: number }, { size: number }> = {
  '~standard': {
    version: 1,
    vendor: 'synod',
    validate: (value) => {
      const size = (value as { size?: unknown } | null)?.size ?? 0
      return typeof size === 'number' ? { value: { size } } : { issues: [{ message: 'no number', path: ['size'] }] }
    },
  },
}

/** 0, 1, … */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}

export async function listed<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
