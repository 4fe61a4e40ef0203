/**
 * A fence: the resource's own memory of the highest token it has seen. What comes with a lower one is refused, whatever
 * its sender believes; that is what makes a lock safe against holders that stand still.
 *
 * The token of a resource is one key. A write through the fence is one transaction over that key and what it writes:
 *
 *     synod/fences/ledger   34
 */
import { type BinaryString, binaryString, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { CallOptions, Compare, Driver, Entry, Key, Operation, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { absent } from '../turns/index.ts'
import { entryAt } from './read-together.ts'
import { tokenBytes, tokenIn } from './token-floor.ts'

/** What came of a write that the fencing token allowed. */
export interface FencedWrite {
  /** Of the write. */
  readonly revision: Revision
}

/** Guards one resource of this engine's own key space. */
export interface Fence {
  readonly resource: string
  /**
   * Throws `FENCED` when a higher token was seen already. A look only: what comes after it may still be too late. Guard
   * what must not be with `guard`, `put` or `delete`.
   */
  check(token: number, limits?: CallLimits): Promise<void>
  /** Remembers `token`: once this has resolved, every lower one is refused. Throws `FENCED` when it is too low itself. */
  guard(token: number, limits?: CallLimits): Promise<void>
  /**
   * Writes `key` and remembers `token` in one transaction, unless a higher token was seen: then `FENCED`, and nothing is
   * written. May be repeated with the same token after an unknown outcome, as long as nothing else was written under it.
   */
  put(key: string | Uint8Array, value: string | Uint8Array, token: number, limits?: CallLimits): Promise<FencedWrite>
  /** Deletes `key` as `put` writes it. */
  delete(key: string | Uint8Array, token: number, limits?: CallLimits): Promise<FencedWrite>
}

/**
 * The fence of `resource`, which is any name that all writers of a resource agree on. Only writes through it are guarded.
 *
 * @example
 * const fence = createFence(context, 'ledger')
 * await lock.run({}, async (held) => fence.put('ledger/last', 'entry 7', held.fencingToken))
 */
export function createFence(context: PlaneContext, resource: string): Fence {
  return new KeyFence(context, resource)
}

const racesMax = 100

class KeyFence implements Fence {
  readonly resource: string
  private readonly context: PlaneContext
  private readonly driver: Driver
  private readonly tokenKey: Key

  constructor(context: PlaneContext, resource: string) {
    this.resource = resource
    this.context = context
    this.driver = context.driver
    this.tokenKey = roomKey(context, 'fences', resource)
  }

  async check(token: number, limits: CallLimits = {}): Promise<void> {
    assertToken(token)
    const { entry } = await this.driver.get(this.tokenKey, callOptions(this.context, limits))
    this.assertNotOlder(token, entry)
  }

  async guard(token: number, limits: CallLimits = {}): Promise<void> {
    await this.apply(token, [], limits)
  }

  put(
    key: string | Uint8Array,
    value: string | Uint8Array,
    token: number,
    limits: CallLimits = {},
  ): Promise<FencedWrite> {
    const bytes = typeof value === 'string' ? utf8Bytes(value) : value
    return this.apply(token, [{ type: 'put', key: this.keyOf(key), value: bytes }], limits)
  }

  delete(key: string | Uint8Array, token: number, limits: CallLimits = {}): Promise<FencedWrite> {
    return this.apply(token, [{ type: 'delete', key: this.keyOf(key) }], limits)
  }

  /**
   * Most writes follow one with the same token: then one round trip is enough. Otherwise the first one reads what token
   * is there, and the next raises it if nobody else did meanwhile.
   */
  private async apply(token: number, writes: readonly Operation[], limits: CallLimits): Promise<FencedWrite> {
    assertToken(token)
    const { tokenKey, driver } = this
    const options: CallOptions = callOptions(this.context, limits)
    const read: Operation = { type: 'get', key: tokenKey }
    const raise: Operation = { type: 'put', key: tokenKey, value: tokenBytes(token) }
    let condition: Compare = { key: tokenKey, target: 'value', is: '=', value: tokenBytes(token) }
    let success = writes.length === 0 ? [read] : writes
    for (let races = 0; races < racesMax; races++) {
      const answer = await driver.transact({ compares: [condition], success, failure: [read] }, options)
      if (answer.succeeded) return { revision: answer.revision }
      const seen = entryAt(answer.results, 0)
      this.assertNotOlder(token, seen)
      condition =
        seen === undefined
          ? absent(tokenKey)
          : { key: tokenKey, target: 'modRevision', is: '=', value: seen.modRevision }
      success = [raise, ...writes]
    }
    throw new SynodError('CONFLICT', `the fence of ${JSON.stringify(this.resource)} is raised all the time; try again`)
  }

  private assertNotOlder(token: number, entry: Entry | undefined): void {
    const highest = tokenIn(entry)
    if (token >= highest) return
    throw new SynodError(
      'FENCED',
      `token ${token} is too old for ${JSON.stringify(this.resource)}, which has seen ${highest}: the lock was given to ` +
        'another since; stop this work and acquire the lock anew',
    )
  }

  private keyOf(key: string | Uint8Array): BinaryString {
    return `${this.context.namespace}${binaryString(typeof key === 'string' ? utf8Bytes(key) : key)}`
  }
}

function assertToken(token: number): void {
  if (Number.isSafeInteger(token) && token >= 0) return
  throw new SynodError('INVALID_ARGUMENT', `${token} is no fencing token; pass the one that the lock's grant carries`)
}
