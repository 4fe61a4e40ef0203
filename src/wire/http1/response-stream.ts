import { utf8Bytes } from '../../base/index.ts'
import type { Http1BodyStream } from './messages.ts'

const lineBreak = Buffer.from('\r\n', 'latin1')
const lastChunk = Buffer.from('0\r\n\r\n', 'latin1')

/** A chunked body (RFC 9112 §7.1) on its way out. */
export class ResponseStream implements Http1BodyStream {
  private readonly send: (bytes: Uint8Array) => boolean
  private readonly onSent: () => void
  private isDone = false
  private drainCallback: (() => void) | undefined
  private cancelCallback: (() => void) | undefined

  constructor(send: (bytes: Uint8Array) => boolean, onSent: () => void) {
    this.send = send
    this.onSent = onSent
  }

  write(chunk: Uint8Array | string): boolean {
    const bytes = typeof chunk === 'string' ? utf8Bytes(chunk) : chunk
    // An empty chunk would be the last one.
    if (this.isDone || bytes.length === 0) return true
    return this.send(Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`, 'latin1'), bytes, lineBreak]))
  }

  end(): void {
    if (this.isDone) return
    this.isDone = true
    this.send(lastChunk)
    this.onSent()
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback
  }

  onCancel(callback: () => void): void {
    this.cancelCallback = callback
  }

  /** The transport has room again. */
  drained(): void {
    if (!this.isDone) this.drainCallback?.()
  }

  /** The connection is gone. */
  cancelled(): void {
    if (this.isDone) return
    this.isDone = true
    this.cancelCallback?.()
  }
}
