/**
 * What a connection writes: small pieces gather in one buffer and leave in one write, at the latest at the end of the
 * turn; large ones pass through without a copy.
 *
 * - I1  Octets reach the transport in the order of the calls.
 * - I2  A buffer is borrowed for one turn only; between turns a connection holds none.
 * - I3  What was handed to the transport is never written again (the arena sees to it).
 * - I4  `countedBytes` is what the transport had queued at the last look, and what the ledger knows of; 0 after `close`.
 */
import { type Connection, resetConnection, type Scheduler } from '../../runtime/index.ts'
import { type MemoryHolder, OutputArena } from '../../wire/http2/index.ts'
import { type BufferLedger, bufferLedgerOf, pressedQueueBytes } from '../http/index.ts'

type OutputBuffer = ReturnType<OutputArena['borrow']>

/** Larger pieces are not copied behind what is already gathered: a transport can take the two as one. */
const copyBytesMax = 4 << 10
/** From this size on, a piece that comes when nothing is gathered goes to the transport as it is. */
const directBytesMin = 4 << 10
const hexDigitsMax = 13

/** The outputs of one event loop that have something gathered, and the buffers that all of them borrow from. */
export class TurnFlusher {
  readonly arena = new OutputArena()
  readonly ledger: BufferLedger
  /** The piece appended last of which no view is kept: it was copied, or is with the operating system. */
  spent: Uint8Array | undefined = undefined
  private readonly scheduler: Scheduler
  private dirty: TurnOutput[] = []
  private spare: TurnOutput[] = []

  constructor(scheduler: Scheduler) {
    this.scheduler = scheduler
    this.ledger = bufferLedgerOf(scheduler)
  }

  flushAtEndOfTurn(output: TurnOutput): void {
    this.dirty.push(output)
    if (this.dirty.length === 1) this.scheduler.endOfTurn(this.flushAll)
  }

  private readonly flushAll = (): void => {
    const outputs = this.dirty
    this.dirty = this.spare
    this.spare = outputs
    for (const output of outputs) output.turnEnds()
    outputs.length = 0
  }
}

const flushers = new WeakMap<Scheduler, TurnFlusher>()

/** The one flusher of a scheduler: all connections of a worker share it. */
export function flusherOf(scheduler: Scheduler): TurnFlusher {
  let flusher = flushers.get(scheduler)
  if (flusher === undefined) {
    flusher = new TurnFlusher(scheduler)
    flushers.set(scheduler, flusher)
  }
  return flusher
}

export class TurnOutput implements MemoryHolder {
  /** The transport said that enough is queued; true until the owner calls `drained`. */
  isBlocked = false
  /** Pieces handed to the transport so far. */
  writes = 0
  private readonly connection: Connection
  private readonly flusher: TurnFlusher
  /** Holds what is gathered, from `start` on. */
  private buffer: OutputBuffer | undefined
  private start = 0
  /** The flusher will call `turnEnds`. */
  private isListed = false
  private countedBytes = 0
  private isClosed = false

  constructor(connection: Connection, flusher: TurnFlusher) {
    this.connection = connection
    this.flusher = flusher
  }

  get hasGathered(): boolean {
    return this.buffer !== undefined
  }

  /** `bytes` must not change afterwards. */
  append(bytes: Uint8Array): void {
    const { length } = bytes
    if (length > copyBytesMax || (length >= directBytesMin && this.buffer === undefined)) {
      const gathered = this.take()
      if (gathered === undefined) this.write(bytes)
      else this.writeBoth(gathered, bytes)
      return
    }
    const buffer = this.roomFor(length)
    buffer.bytes.set(bytes, buffer.offset)
    buffer.offset += length
    this.flusher.spent = bytes
  }

  /** Text of one octet a unit. */
  appendText(text: string): void {
    const buffer = this.roomFor(text.length)
    buffer.offset += buffer.bytes.latin1Write(text, buffer.offset)
  }

  /** `bytes`, not empty, as one chunk of RFC 9112 §7.1; returns the octets written. */
  appendChunk(bytes: Uint8Array): number {
    const size = bytes.length.toString(16)
    const buffer = this.roomFor(hexDigitsMax + 2)
    buffer.offset += buffer.bytes.latin1Write(size, buffer.offset)
    buffer.bytes[buffer.offset++] = 0x0d
    buffer.bytes[buffer.offset++] = 0x0a
    this.append(bytes)
    this.appendText('\r\n')
    return size.length + bytes.length + 4
  }

  /** As `append` and `flush`, without the copy where nothing is gathered. */
  send(bytes: Uint8Array): void {
    if (this.buffer === undefined) this.write(bytes)
    else {
      this.append(bytes)
      this.flush()
    }
  }

  flush(): void {
    const gathered = this.take()
    if (gathered !== undefined) this.write(gathered)
  }

  drained(): void {
    this.isBlocked = false
    this.recount()
  }

  /** What waits may have become less since it was counted. */
  recount(): void {
    if (this.countedBytes > 0) this.count(this.connection.queuedBytes)
  }

  /** The connection is given up: what waits for it is gone. */
  close(): void {
    this.isClosed = true
    if (this.countedBytes === 0) return
    this.countedBytes = 0
    this.flusher.ledger.forget(this)
  }

  get heldBytes(): number {
    return this.isClosed ? 0 : this.connection.queuedBytes
  }

  relinquish(): void {
    this.close()
    resetConnection(this.connection)
  }

  turnEnds(): void {
    this.isListed = false
    this.flush()
  }

  /** What is gathered, which then is the transport's. */
  private take(): Uint8Array | undefined {
    const { buffer } = this
    if (buffer === undefined) return undefined
    this.buffer = undefined
    this.flusher.arena.giveBack(buffer)
    return buffer.bytes.subarray(this.start, buffer.offset)
  }

  private write(bytes: Uint8Array): void {
    const { connection } = this
    this.writes++
    if (!connection.write(bytes)) this.isBlocked = true
    this.wrote(bytes)
  }

  private writeBoth(first: Uint8Array, second: Uint8Array): void {
    const { connection } = this
    if (connection.writeBoth === undefined) {
      this.write(first)
      this.write(second)
      return
    }
    this.writes++
    if (!connection.writeBoth(first, second)) this.isBlocked = true
    this.wrote(second)
  }

  private wrote(bytes: Uint8Array): void {
    const { queuedBytes, freesWritten } = this.connection
    if (queuedBytes === 0 && freesWritten === true) this.flusher.spent = bytes
    if (queuedBytes !== this.countedBytes) this.count(queuedBytes)
  }

  private count(queuedBytes: number): void {
    if (this.isClosed) return
    const { ledger } = this.flusher
    const hasGrown = queuedBytes > this.countedBytes
    this.countedBytes = queuedBytes
    ledger.note(this)
    if (!hasGrown) return
    ledger.grown()
    if (this.isBlocked || queuedBytes <= pressedQueueBytes || !ledger.isPressed) return
    if (this.connection.tellDrain === undefined) return
    this.isBlocked = true
    ledger.earlyPauses++
    this.connection.tellDrain()
  }

  private roomFor(length: number): OutputBuffer {
    const held = this.buffer
    if (held !== undefined) {
      if (held.bytes.length - held.offset >= length) return held
      this.flush()
    }
    const buffer = this.flusher.arena.borrow(length)
    this.buffer = buffer
    this.start = buffer.offset
    if (!this.isListed) {
      this.isListed = true
      this.flusher.flushAtEndOfTurn(this)
    }
    return buffer
  }
}
