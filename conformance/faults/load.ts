// Writers that put unique values under unique keys and note what became of each: acknowledged, with its revision;
// refused, and so certainly not applied; or unknown.
//
// Invariants:
//   L1  A key is put once. So a version above 1, or two events for a key, is a write applied twice.
//   L2  A record's outcome is what its client was told, at `endedMs` on the machine's monotonic clock.
import { setTimeout as delay } from 'node:timers/promises'
import { machineMonotonicMs } from '../../src/runtime/node/index.ts'
import { Channel, type Reply } from './channel.ts'
import { put, revisionOf } from './rpc.ts'

export type Outcome = 'acknowledged' | 'refused' | 'unknown'

export interface WriteRecord {
  readonly key: string
  readonly value: string
  readonly endpoint: string
  readonly startedMs: number
  endedMs: number
  outcome: Outcome
  /** The revision that made the write; 0 unless acknowledged. */
  revision: number
  /** What the server, or the connection, said. */
  text: string
}

export interface LoadOptions {
  /** Each has one write under way. Default 32. */
  readonly clients?: number
  /** Each waits so long after an acknowledgement, which keeps the history small. Default 5. */
  readonly pauseMs?: number
  readonly valueBytes?: number
  /** Begins all keys. Default `w/`. */
  readonly prefix?: string
  /** A client gives a write up, and takes it for unknown, after this long. Default 10 s. */
  readonly timeoutMs?: number
  /** After a failure a client turns to the next member. Default true. */
  readonly moves?: boolean
}

/** Refusals that etcd's clients may take for "not applied". */
const certainRefusals = [
  'etcdserver: too many requests',
  'etcdserver: mvcc: database space exceeded',
  // A proposal's own answer: Synod says so only when the entry can never commit, or a snapshot hid its fate.
  'etcdserver: leader changed',
]

/** A load on some members. */
export class Load {
  readonly records: WriteRecord[] = []
  readonly prefix: string
  readonly #channels: readonly Channel[]
  readonly #options: LoadOptions
  #running: Promise<unknown> | undefined
  #stopping = false

  constructor(endpoints: readonly string[], options: LoadOptions = {}) {
    this.#channels = endpoints.map((endpoint) => new Channel(endpoint))
    this.#options = options
    this.prefix = options.prefix ?? 'w/'
  }

  get acknowledged(): number {
    return this.records.reduce((count, record) => count + (record.outcome === 'acknowledged' ? 1 : 0), 0)
  }

  start(): void {
    const clients = this.#options.clients ?? 32
    this.#running = Promise.all(Array.from({ length: clients }, (_, client) => this.#write(client)))
  }

  /** Lets every write under way end, then closes the connections. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
    for (const channel of this.#channels) channel.close()
  }

  /** Resolves when a write that was begun after this call is acknowledged; yields its record. */
  async nextAcknowledged(timeoutMs = 20_000): Promise<WriteRecord> {
    const fromMs = machineMonotonicMs()
    const deadline = fromMs + timeoutMs
    let looked = Math.max(0, this.records.length - 2000)
    for (;;) {
      for (let at = looked; at < this.records.length; at++) {
        const record = this.records[at]!
        if (record.outcome === 'acknowledged' && record.startedMs > fromMs) return record
      }
      looked = Math.max(0, this.records.length - 2000)
      if (machineMonotonicMs() > deadline) throw new Error(`no write was acknowledged in ${timeoutMs} ms`)
      await delay(2)
    }
  }

  async #write(client: number): Promise<void> {
    const { pauseMs = 5, valueBytes = 64, timeoutMs = 10_000, moves = true } = this.#options
    let at = client % this.#channels.length
    for (let sequence = 0; !this.#stopping; sequence++) {
      const key = `${this.prefix}${client}/${String(sequence).padStart(6, '0')}`
      const value = `${key}=`.padEnd(valueBytes, '.')
      const channel = this.#channels[at]!
      const record: WriteRecord = {
        key,
        value,
        endpoint: channel.endpoint,
        startedMs: machineMonotonicMs(),
        endedMs: 0,
        outcome: 'unknown',
        revision: 0,
        text: 'under way',
      }
      this.records.push(record)
      note(record, await put(channel, key, value, timeoutMs))
      if (record.outcome === 'acknowledged') {
        if (pauseMs > 0) await delay(pauseMs)
      } else if (moves) at = (at + 1) % this.#channels.length
    }
  }
}

function note(record: WriteRecord, reply: Reply): void {
  record.endedMs = machineMonotonicMs()
  if (reply.kind === 'ok') {
    record.outcome = 'acknowledged'
    record.revision = revisionOf(reply.message)
    record.text = ''
    return
  }
  record.text = reply.text
  const certain = reply.kind === 'broken' ? reply.unsent : certainRefusals.includes(reply.text)
  record.outcome = certain ? 'refused' : 'unknown'
}
