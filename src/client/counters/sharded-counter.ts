import { assert } from '../../base/index.ts'
import { type PlaneContext, prefixEnd, roomKey } from '../context.ts'
import type { CallOptions, Entry, Key } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import { type Step, updateOnce } from '../once/index.ts'
import type { Session } from '../sessions/index.ts'
import { assertInteger, decodeCounterValue, encodeCounterValue, sumOf } from './counter-value.ts'

/** What may be said of a sharded counter when it is made. */
export interface ShardedCounterOptions {
  /** Over how many keys additions spread: 1 to 100, default 16. May be raised later; see {@link ShardedCounter}. */
  readonly shards?: number | undefined
  /** As for a counter. */
  readonly session?: Session | undefined
}

/**
 * A counter for many writers: a sum over shards, each an exact counter. Each handle adds to one shard that it drew at
 * random, so that additions of different processes seldom meet.
 *
 * `add` promises what a counter's does, but tells no value, for nobody saw the sum then. `get` sums what all shards held
 * at one moment after it was called: every addition that had resolved is in it, and no operation is in it by half. There
 * is no conditional addition and no `set`: a bound over all shards would need all of them in each write, which is what a
 * plain counter is for.
 *
 * All shards that exist are summed, however many a handle was made with; programs need not agree on the number. It shares
 * nothing with the plain counter of the same name. The shards are the keys `synod/counters/NAME/00` and so on.
 */
export interface ShardedCounter {
  readonly name: string
  /** Adds `n`, which may be negative. */
  add(n: number, limits?: CallLimits): Promise<void>
  /** The sum of all shards at one moment. `TOO_LARGE` when it is no safe integer. */
  get(limits?: CallLimits): Promise<number>
}

const shardsMax = 100
const shardsDefault = 16

/** See {@link ShardedCounter}. */
export function createShardedCounter(
  context: PlaneContext,
  name: string,
  { shards = shardsDefault, session }: ShardedCounterOptions = {},
): ShardedCounter {
  if (!Number.isInteger(shards) || shards < 1 || shards > shardsMax)
    throw new SynodError('INVALID_ARGUMENT', `shards is ${shards}; a sharded counter has 1 to ${shardsMax}`)
  const shard = context.driver.outside.random.below(shards)
  const key = roomKey(context, 'counters', name, String(shard).padStart(2, '0'))
  const within = <T>(spanName: string, work: () => Promise<T>): Promise<T> =>
    context.tracing.span(spanName, { 'synod.name': name }, work)
  return {
    name,
    async add(n, limits) {
      assertInteger('n', n)
      const apply = (bytes: Uint8Array | undefined): Step<undefined> => {
        const value = sumOf(name, decodeCounterValue(name, bytes), n)
        return { value: encodeCounterValue(value), result: undefined }
      }
      await within('sharded_counter.add', () => updateOnce(context, session, key, apply, limits))
    },
    get(limits) {
      return within('sharded_counter.get', async () => {
        const entries = await readShards(context, roomKey(context, 'counters', name, ''), callOptions(context, limits))
        const sum = entries.reduce((total, { value }) => total + BigInt(decodeCounterValue(name, value)), 0n)
        if (Number.isSafeInteger(Number(sum))) return Number(sum)
        throw new SynodError(
          'TOO_LARGE',
          `the shards of the counter "${name}" sum up to ${sum}, which is no safe integer`,
        )
      })
    },
  }
}

/** All shards as they were at one moment. Where lists are not of one, a transaction that reads the keys listed is. */
async function readShards(context: PlaneContext, prefix: Key, options: CallOptions): Promise<readonly Entry[]> {
  const range = { start: prefix, end: prefixEnd(prefix) }
  const { driver } = context
  if (driver.can.atRevision) return (await driver.list(range, options)).entries
  const listed = await driver.list(range, { ...options, keysOnly: true })
  const reads = listed.entries.map(({ key }) => ({ type: 'get', key }) as const)
  if (reads.length === 0) return []
  const { results } = await driver.transact({ compares: [], success: reads }, options)
  return results.flatMap((result) => {
    assert(result.type === 'get', 'the transaction reads keys')
    return result.entry ?? []
  })
}
