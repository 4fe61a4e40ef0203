/** What the parts of the driver's contract share: the driver under test, keys of one's own, and waiting. */
import assert from 'node:assert/strict'
import { type BinaryString, binaryString, utf8Bytes } from '../../base/index.ts'
import { prefixEnd } from '../context.ts'
import type {
  ChangeEvent,
  Driver,
  Entry,
  Key,
  KeyRange,
  Operation,
  Revision,
  TransactionResult,
  WatchSink,
} from '../driver/index.ts'
import { type Outcome, SynodError, type SynodErrorCode } from '../errors.ts'

/** An engine with a driver to it. */
export interface DriverSubject {
  readonly driver: Driver
  /** A second client of the same engine, where there can be one. The suite closes it. */
  readonly another?: (() => Promise<Driver>) | undefined
  /** Closes the driver, and what it talks to: then opens both again, over what is on the disk. */
  readonly reopen?: (() => Promise<Driver>) | undefined
  /** Forgets history before `revision`, as far as the engine has a way. */
  readonly compact?: ((revision: Revision) => Promise<void>) | undefined
  /** Stops all that travels between driver and engine, without a word to either; the returned function lets it flow. */
  readonly cut?: (() => Promise<() => Promise<void>>) | undefined
  /** Ends it all. The driver may have been closed before. */
  close(): Promise<void>
}

export interface DriverContractWorld {
  /** Called anew for tests that end the driver; otherwise all tests share one. */
  open(): Promise<DriverSubject>
  /** Lets the world's time pass until `work` is done. Default: it passes by itself. */
  run?<T>(work: Promise<T>): Promise<T>
}

export interface TestNeeds {
  /** The reason to skip it on an engine. */
  readonly unless?: (subject: DriverSubject) => string | undefined
  /** It ends the driver, or disturbs others: it gets an engine of its own. */
  readonly fresh?: boolean
}

/** Registers a test. */
export type DefineTest = (title: string, body: (ground: Ground) => Promise<void>, needs?: TestNeeds) => void

const patienceMs = 20_000
const pollMs = 10

/** One test's view: a driver, and a prefix that nobody else uses. */
export class Ground {
  readonly subject: DriverSubject
  readonly driver: Driver
  /** Before every key of the test. */
  readonly prefix: Key

  constructor(subject: DriverSubject, prefix: Key) {
    this.subject = subject
    this.driver = subject.driver
    this.prefix = prefix
  }

  key(name: string): Key {
    return this.prefix + name
  }

  /** All keys of the test. */
  get all(): KeyRange {
    return { start: this.prefix, end: prefixEnd(this.prefix) }
  }

  get nowMs(): number {
    return this.driver.outside.clock.monotonicMs()
  }

  write(...operations: Operation[]): Promise<TransactionResult> {
    return this.driver.transact({ compares: [], success: operations })
  }

  put(name: string, value = '', leaseId = 0n): Promise<TransactionResult> {
    return this.write(put(this.key(name), value, leaseId))
  }

  delete(name: string): Promise<TransactionResult> {
    return this.write({ type: 'delete', key: this.key(name) })
  }

  async entry(name: string): Promise<Entry> {
    const { entry } = await this.driver.get(this.key(name))
    assert.ok(entry, `${name} is there`)
    return entry
  }

  async exists(name: string): Promise<boolean> {
    return (await this.driver.get(this.key(name))).entry !== undefined
  }

  /** The names of the test's keys, in order. */
  async names(range: KeyRange = this.all): Promise<string[]> {
    const { entries } = await this.driver.list(range)
    return entries.map((entry) => entry.key.slice(this.prefix.length))
  }

  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.driver.outside.scheduler.setTimer(ms, resolve))
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

export function put(key: Key, value: string | Uint8Array = '', leaseId = 0n): Operation {
  const bytes = typeof value === 'string' ? utf8Bytes(value) : value
  return { type: 'put', key, value: bytes, leaseId }
}

export function textOf(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : Buffer.from(entry.value).toString('utf8')
}

export function bytesKey(...bytes: number[]): BinaryString {
  return binaryString(Uint8Array.from(bytes))
}

/** For `assert.rejects`. */
export function failsWith(code: SynodErrorCode, outcome?: Outcome): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof SynodError, `a SynodError, not ${String(error)}`)
    assert.equal(error.code, code, error.message)
    if (outcome !== undefined) assert.equal(error.outcome, outcome)
    return true
  }
}

/** Keeps what a watch tells, and checks its order. */
export class RecordingSink implements WatchSink {
  readonly events: ChangeEvent[] = []
  /** How many events each `onEvents` brought, those that brought none left out. */
  readonly batches: (readonly ChangeEvent[])[] = []
  revision: Revision = 0
  compactRevision: Revision | undefined
  error: SynodError | undefined
  private over = false

  onEvents(events: readonly ChangeEvent[], revision: Revision): void {
    assert.equal(this.over, false, 'nothing comes after the end')
    assert.ok(revision >= this.revision, 'revisions do not fall')
    for (const event of events) {
      assert.ok(event.revision > this.revision, 'each revision comes whole, and once')
      assert.ok(event.revision <= revision, 'nothing comes that the revision does not cover')
    }
    this.revision = revision
    this.events.push(...events)
    if (events.length > 0) this.batches.push(events)
  }

  onCompacted(compactRevision: Revision): void {
    assert.equal(this.over, false, 'nothing comes after the end')
    this.over = true
    this.compactRevision = compactRevision
  }

  onEnd(error: SynodError): void {
    assert.equal(this.over, false, 'the end comes once')
    this.over = true
    this.error = error
  }

  get ended(): boolean {
    return this.over
  }

  /** `+name=value` and `-name`, in order. */
  told(prefix: Key): string[] {
    return this.events.map((event) =>
      event.type === 'put'
        ? `+${event.entry.key.slice(prefix.length)}=${textOf(event.entry)}`
        : `-${event.key.slice(prefix.length)}`,
    )
  }
}
