/** What the tests of `wire/` share: a transport and a scheduler driven by hand, and raw frames. Not part of the face. */
import { concatBytes } from '../../base/index.ts'
import type { Clock, CloseReason, Connection, ConnectionHandler, Scheduler, Timer } from '../../runtime/index.ts'
import { clientPreface, Flag, FrameType, frameHeaderBytes } from './protocol.ts'

export { FrameType, Setting } from './protocol.ts'

/** Time that moves, and turns that end, when the test says so. */
export class ManualWorld implements Clock, Scheduler {
  private nowMs = 1000
  private callbacks: (() => void)[] = []
  private timers: { atMs: number; callback: () => void }[] = []

  wallMs(): number {
    return this.nowMs
  }

  monotonicMs(): number {
    return this.nowMs
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.nowMs + delayMs, callback }
    this.timers.push(timer)
    return {
      cancel: () => {
        this.timers = this.timers.filter((other) => other !== timer)
      },
    }
  }

  endOfTurn(callback: () => void): void {
    this.callbacks.push(callback)
  }

  /** Ends the turn. */
  turn(): void {
    while (this.callbacks.length > 0) {
      const callbacks = this.callbacks
      this.callbacks = []
      for (const callback of callbacks) callback()
    }
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const due = this.timers.filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.nowMs = Math.max(this.nowMs, due.atMs)
      this.timers = this.timers.filter((timer) => timer !== due)
      due.callback()
      this.turn()
    }
    this.nowMs = untilMs
  }
}

/** A frame as a peer sees it. */
export interface SeenFrame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly payload: Buffer
}

/** A transport whose peer is the test. */
export class MemoryConnection implements Connection {
  readonly remoteAddress = 'test'
  /** Set by the test to play a peer that does not read. */
  isStuck = false
  queuedBytes = 0
  writes = 0
  isPaused = false
  closed: 'open' | 'ended' | 'destroyed' = 'open'
  handler: ConnectionHandler | undefined
  private received: Uint8Array[] = []

  setHandler(handler: ConnectionHandler): void {
    this.handler = handler
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed !== 'open') return true
    this.writes++
    this.received.push(Uint8Array.from(bytes))
    if (!this.isStuck) return true
    this.queuedBytes += bytes.length
    return this.queuedBytes <= 1 << 20
  }

  pause(): void {
    this.isPaused = true
  }

  resume(): void {
    this.isPaused = false
  }

  end(): void {
    if (this.closed === 'open') this.closed = 'ended'
  }

  destroy(): void {
    this.closed = 'destroyed'
  }

  close(reason: CloseReason): void {
    this.handler?.onClose(reason)
  }

  /** Everything written since the last call. */
  takeBytes(): Buffer {
    const bytes = Buffer.from(concatBytes(this.received))
    this.received = []
    return bytes
  }

  /** Every whole frame written since the last call. */
  takeFrames(): SeenFrame[] {
    const bytes = this.takeBytes()
    const frames: SeenFrame[] = []
    for (let at = 0; at < bytes.length; ) {
      const end = at + frameHeaderBytes + bytes.readUIntBE(at, 3)
      frames.push({
        type: bytes[at + 3]!,
        flags: bytes[at + 4]!,
        streamId: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + frameHeaderBytes, end),
      })
      at = end
    }
    return frames
  }
}

/** Encodes a frame. */
export function frame(type: number, flags: number, streamId: number, payload: Uint8Array = new Uint8Array(0)): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(streamId, 5)
  bytes.set(payload, frameHeaderBytes)
  return bytes
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function settingsFrame(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(6 * pairs.length)
  for (const [at, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * at)
    payload.writeUInt32BE(value, 6 * at + 2)
  }
  return frame(FrameType.settings, 0, 0, payload)
}

/** Preface and SETTINGS. */
export function greeting(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  return Buffer.concat([clientPreface, settingsFrame(...pairs)])
}

/** A header block of literals without indexing: nothing is remembered. */
export function literalBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  const parts: Buffer[] = []
  for (const [name, value] of fields) {
    parts.push(Buffer.from([0]), literalString(name), literalString(value))
  }
  return Buffer.concat(parts)
}

function literalString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const rest: number[] = [127]
  let left = bytes.length - 127
  for (; left >= 128; left >>>= 7) rest.push((left & 127) | 128)
  rest.push(left)
  return Buffer.concat([Buffer.from(rest), bytes])
}

export const requestFields: readonly (readonly [string, string])[] = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/test.Echo/Echo'],
  [':authority', 'test'],
  ['content-type', 'application/grpc'],
  ['te', 'trailers'],
]

export function headersFrame(streamId: number, endStream: boolean, fields = requestFields): Buffer {
  return frame(FrameType.headers, Flag.endHeaders | (endStream ? Flag.endStream : 0), streamId, literalBlock(fields))
}

export function dataFrame(streamId: number, payload: Uint8Array, endStream: boolean): Buffer {
  return frame(FrameType.data, endStream ? Flag.endStream : 0, streamId, payload)
}
