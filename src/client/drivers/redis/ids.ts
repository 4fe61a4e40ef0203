/**
 * Ids on Redis: the server gives out blocks of 4 096, numbered by its clock and past the last one given. The layout is
 * that of `ids/id-layout.ts`; where other engines have slots, one of 1 024 blocks of a millisecond stands.
 *
 * - I1  A block is given once: its number is above the last one. It is also at least the server's time: should the server
 *       lose its data, blocks are new nevertheless, as long as its clock goes forward.
 * - I2  `refilling` is set exactly while a block is being fetched, for all who wait.
 */
import { roomKey } from '../../context.ts'
import { SynodError } from '../../errors.ts'
import {
  epochMs,
  type IdGenerator,
  idOf,
  idsFloorKey,
  idText,
  idTimeMsMax,
  refuseTimeBeyond,
  sequenceMax,
  slotCount,
} from '../../ids/index.ts'
import { type CallLimits, callOptions } from '../../limits.ts'
import { within } from '../../once/index.ts'
import type { ValueContext } from './counter.ts'
import { script } from './script.ts'

/** A block that is older is left, so that ids follow time. */
const blockMsMax = 1_000

// KEYS last, floor; ARGV epoch, blocks of a millisecond, largest
const blockScript = script(
  'the id script',
  `local by_time = (math.max(now, number_at(KEYS[2], 0) + 1) - ARGV[1]) * ARGV[2]
local block = math.max(number_at(KEYS[1], 0) + 1, by_time)
if block <= tonumber(ARGV[3]) then redis.call('SET', KEYS[1], whole(block)) end
return whole(block)`,
)

const largestBlock = (idTimeMsMax - epochMs + 1) * slotCount - 1

interface Block {
  readonly timeMs: number
  readonly slot: number
  readonly askedAtMs: number
  sequence: number
}

export class RedisIds implements IdGenerator {
  readonly name: string
  private readonly context: ValueContext
  private readonly closing = new AbortController()
  private block: Block | undefined
  private refilling: Promise<void> | undefined

  constructor(context: ValueContext, name: string) {
    this.context = context
    this.name = name
    // An unfit name is told at once.
    roomKey(context.rooms, 'ids', name)
  }

  async next(limits?: CallLimits): Promise<bigint> {
    for (;;) {
      if (this.closing.signal.aborted) throw this.closing.signal.reason
      const id = this.take()
      if (id !== undefined) return id
      await this.refilled(limits)
    }
  }

  async nextString(limits?: CallLimits): Promise<string> {
    return idText(await this.next(limits))
  }

  async close(): Promise<void> {
    this.closing.abort(new SynodError('CLOSED', `the id generator "${this.name}" was closed; make another`))
    await this.refilling?.catch(() => {})
  }

  private take(): bigint | undefined {
    const { block } = this
    if (block === undefined || block.sequence > sequenceMax) return undefined
    if (this.context.driver.outside.clock.monotonicMs() - block.askedAtMs > blockMsMax) return undefined
    return idOf(block.timeMs, block.slot, block.sequence++)
  }

  /** What all wait for goes on when one of them leaves. */
  private async refilled(limits: CallLimits | undefined): Promise<void> {
    this.refilling ??= this.context.tracing
      .span('ids.reserve', { 'synod.name': this.name }, () => this.fetch())
      .finally(() => {
        this.refilling = undefined
      })
    await within(this.context.driver.outside, this.refilling, callOptions(this.context, limits))
  }

  private async fetch(): Promise<void> {
    const { connection, rooms, driver } = this.context
    const askedAtMs = driver.outside.clock.monotonicMs()
    const keys = [roomKey(rooms, 'ids', this.name, 'last'), idsFloorKey(rooms)]
    const call = { script: blockScript, keys, args: [epochMs, slotCount, largestBlock] }
    const number = Number(await connection.run(call, { signal: this.closing.signal }))
    const timeMs = epochMs + Math.floor(number / slotCount)
    refuseTimeBeyond(timeMs)
    this.block = { timeMs, slot: number % slotCount, askedAtMs, sequence: 0 }
  }
}
