/**
 * One request for a page over HTTP/2 (RFC 9113 §8): the same handlers and bounds as over HTTP/1.1.
 *
 * I1. `phase` only moves on: receiving, answering, done. The handler runs in the step to `answering`, when the request
 *     is complete; nothing is sent before, but a refusal.
 * I2. `chargedBytes`, the length of `pieces`, are charged to the connection's budget while receiving.
 */
import { utf8Bytes } from '../../base/index.ts'
import type { FieldPair, Http2Stream, RequestReceiver, StreamContext } from '../http2/index.ts'
import type { Http1Owner } from './http1-connection.ts'
import {
  type Http1BodyStream,
  type Http1Request,
  type Http1Response,
  isServedMethod,
  plainResponse,
} from './messages.ts'

export class PageStream implements RequestReceiver {
  bornInSweep = 0
  private readonly stream: Http2Stream
  private readonly owner: Http1Owner
  private readonly context: StreamContext
  private phase: 'receiving' | 'answering' | 'done' = 'receiving'
  private pieces: Buffer[] = []
  private chargedBytes = 0
  private body: PageBody | undefined

  constructor(stream: Http2Stream, owner: Http1Owner, context: StreamContext) {
    this.stream = stream
    this.owner = owner
    this.context = context
  }

  get isReceiving(): boolean {
    return this.phase === 'receiving'
  }

  onData(bytes: Buffer, start: number, end: number, endStream: boolean): void {
    if (this.phase !== 'receiving') return
    const byteLength = end - start
    if (this.chargedBytes + byteLength > this.owner.options.bodyBytesMax) {
      this.refuse(413)
      return
    }
    if (byteLength > 0) {
      if (!this.context.budget.claim(byteLength)) {
        this.refuse(503)
        return
      }
      this.chargedBytes += byteLength
      this.pieces.push(bytes.subarray(start, end))
      this.stream.consumed(byteLength)
    }
    if (endStream) this.answer()
  }

  onReset(): void {
    this.finish()
    this.body?.cancelled()
  }

  onDrain(): void {
    this.body?.drained()
  }

  expire(): void {
    this.refuse(408)
  }

  private answer(): void {
    const { method, path: target } = this.stream.head
    if (!isServedMethod(method)) return this.respond(plainResponse(405, { allow: 'GET, HEAD, POST' }))
    if (!target.startsWith('/')) return this.respond(plainResponse(400))
    const mark = target.indexOf('?')
    const path = mark === -1 ? target : target.slice(0, mark)
    const handler = this.owner.find(path)
    if (handler === undefined) return this.respond(plainResponse(404))
    const query = new URLSearchParams(mark === -1 ? '' : target.slice(mark + 1))
    const request: Http1Request = { method, path, query, headers: this.headers(), body: Buffer.concat(this.pieces) }
    this.release()
    this.phase = 'answering'
    const response = handler(request)
    if (!(response instanceof Promise)) return this.respond(response)
    response.then(
      (settled) => this.respond(settled),
      (error: unknown) => {
        this.owner.failed(path, error)
        this.respond(plainResponse(500))
      },
    )
  }

  private headers(): Map<string, string> {
    const { head } = this.stream
    const headers = new Map<string, string>()
    for (const { name, value } of head.fields) {
      if (name.startsWith(':')) continue
      const earlier = headers.get(name)
      headers.set(name, earlier === undefined ? value : `${earlier}, ${value}`)
    }
    if (head.authority !== '') headers.set('host', head.authority)
    return headers
  }

  private refuse(status: number): void {
    if (this.phase === 'receiving') this.respond(plainResponse(status))
  }

  private respond(response: Http1Response): void {
    this.owner.finished(response.status)
    if (this.phase === 'done') return
    this.finish()
    const { stream } = this
    const body = typeof response.body === 'string' ? utf8Bytes(response.body) : (response.body ?? noBytes)
    const isStreamed = typeof body === 'function'
    const fields = responseFields(response, isStreamed ? undefined : body.length)
    const hasNoBody = stream.head.method === 'HEAD' || response.status === 204 || response.status === 304
    const template = this.context.encoder.template(fields)
    if (hasNoBody || (!isStreamed && body.length === 0)) {
      stream.sendHeaders(template, true)
      return
    }
    stream.sendHeaders(template, false)
    if (isStreamed) {
      this.body = new PageBody(stream)
      body(this.body)
      return
    }
    stream.send([body])
    stream.end()
  }

  private finish(): void {
    this.phase = 'done'
    this.release()
  }

  private release(): void {
    if (this.chargedBytes > 0) this.context.budget.release(this.chargedBytes)
    this.chargedBytes = 0
    this.pieces = []
  }
}

/** A body of unknown length on its way out. */
class PageBody implements Http1BodyStream {
  private readonly stream: Http2Stream
  private isDone = false
  private drainCallback: (() => void) | undefined
  private cancelCallback: (() => void) | undefined

  constructor(stream: Http2Stream) {
    this.stream = stream
  }

  write(chunk: Uint8Array | string): boolean {
    return this.isDone || this.stream.send([typeof chunk === 'string' ? utf8Bytes(chunk) : chunk])
  }

  end(): void {
    if (this.isDone) return
    this.isDone = true
    this.stream.end()
  }

  onDrain(callback: () => void): void {
    this.drainCallback = callback
  }

  onCancel(callback: () => void): void {
    this.cancelCallback = callback
  }

  drained(): void {
    if (!this.isDone) this.drainCallback?.()
  }

  cancelled(): void {
    if (this.isDone) return
    this.isDone = true
    this.cancelCallback?.()
  }
}

const noBytes: Buffer = Buffer.alloc(0)

/** Values are the caller's, who may have them from a request: a byte that RFC 9113 §8.2.1 forbids becomes a blank. */
function responseFields(response: Http1Response, bodyBytes: number | undefined): FieldPair[] {
  const fields: FieldPair[] = [[':status', String(response.status)]]
  for (const [name, value] of Object.entries(response.headers ?? {})) {
    fields.push([name.toLowerCase(), value.replace(/[\r\n\0]/g, ' ')])
  }
  if (bodyBytes !== undefined && response.status !== 204) fields.push(['content-length', String(bodyBytes)])
  return fields
}
