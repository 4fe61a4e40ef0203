/**
 * One client's HTTP/1.1 connection: one request at a time, in order.
 *
 * I1. `state` says what is awaited: a request's head, its body, the handler's answer, or the end of a response.
 *     Bytes of later requests wait in `input` meanwhile, at most about `inputBytesMax`; past that reading stops.
 * I2. One timer is armed, for the present state. A client too slow for it gets 408, or is dropped.
 * I3. No input makes a method throw. A request that is wrong gets its refusal and the connection closes; what is not
 *     HTTP/1 at all, by its first line, gets no answer that its sender could not read.
 */
import { utf8Bytes } from '../../base/index.ts'
import type { Connection, Scheduler, Timer } from '../../runtime/index.ts'
import type { ServedConnection } from '../http2/index.ts'
import { ChunkedBody } from './chunked-body.ts'
import {
  type Http1BodyStream,
  type Http1Handler,
  type Http1Request,
  type Http1Response,
  isServedMethod,
  plainResponse,
} from './messages.ts'
import type { Http1Options } from './options.ts'
import { type Http1Head, parseHead } from './request-head.ts'
import { encodeResponseHead } from './response-head.ts'
import { ResponseStream } from './response-stream.ts'

const inputBytesMax = 64 << 10
/** After a refusal the client gets this long to read it. */
const lingerMs = 1_000

/** What a connection needs of its server. */
export interface Http1Owner {
  readonly scheduler: Scheduler
  readonly options: Http1Options
  find(path: string): Http1Handler | undefined
  finished(status: number): void
  failed(path: string, error: unknown): void
  connectionClosed(connection: Http1Connection): void
}

export class Http1Connection implements ServedConnection {
  private readonly connection: Connection
  private readonly owner: Http1Owner
  private input: Buffer = noBytes
  private state: 'head' | 'body' | 'answering' | 'sending' | 'closing' | 'gone' = 'head'
  private head: Http1Head | undefined
  private chunked: ChunkedBody | undefined
  private timer: Timer | undefined
  private isPaused = false
  private inputEnded = false
  private isDraining = false
  private isParsing = false
  /** The transport is full; the send timer runs. */
  private isBlocked = false
  private keepAlive = true
  private stream: ResponseStream | undefined

  constructor(connection: Connection, owner: Http1Owner) {
    this.connection = connection
    this.owner = owner
    this.setTimer(owner.options.idleTimeoutMs, () => this.connection.destroy())
  }

  onData(bytes: Uint8Array): void {
    if (this.state === 'closing' || this.state === 'gone') return
    if (this.state === 'head' && this.input.length === 0) this.armReceiveTimer()
    this.input = this.input.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.input, bytes])
    this.parse()
    if (this.isBusy && this.input.length > inputBytesMax && !this.isPaused) {
      this.isPaused = true
      this.connection.pause()
    }
  }

  onEnd(): void {
    this.inputEnded = true
    if (!this.isBusy) this.close()
  }

  onDrain(): void {
    this.isBlocked = false
    if (this.state !== 'sending') return
    this.timer?.cancel()
    if (this.stream !== undefined) this.stream.drained()
    else this.responseSent()
  }

  onClose(): void {
    if (this.state === 'gone') return
    this.state = 'gone'
    this.timer?.cancel()
    this.stream?.cancelled()
    this.owner.connectionClosed(this)
  }

  shutdown(drainMs: number): void {
    this.isDraining = true
    if (!this.isBusy && this.input.length === 0) this.close()
    else this.owner.scheduler.setTimer(drainMs, () => this.connection.destroy())
  }

  private get isBusy(): boolean {
    return this.state === 'answering' || this.state === 'sending'
  }

  /** Serves what `input` holds. Not reentrant: an answer given at once is followed by the loop, not by recursion. */
  private parse(): void {
    if (this.isParsing) return
    this.isParsing = true
    let progress = true
    while (progress) {
      if (this.state === 'head') progress = this.readHead()
      else if (this.state === 'body') progress = this.readBody()
      else progress = false
    }
    this.isParsing = false
  }

  private readHead(): boolean {
    if (this.input.length === 0) return false
    const { options } = this.owner
    const end = this.input.indexOf('\r\n\r\n', 0, 'latin1')
    if (end === -1 || end > options.headBytesMax) {
      if (this.input.length > options.headBytesMax) this.refuse(431)
      else if (isGarbage(this.input)) this.close()
      return false
    }
    if (!hasHttpVersion(this.input)) {
      this.close()
      return false
    }
    const head = parseHead(this.input.latin1Slice(0, end), options)
    if (typeof head === 'number') {
      this.refuse(head)
      return false
    }
    this.input = this.input.subarray(end + 4)
    this.head = head
    this.chunked = head.body === 'chunked' ? new ChunkedBody(options.bodyBytesMax) : undefined
    this.state = 'body'
    this.armReceiveTimer()
    if (head.expectsContinue && head.body !== 0 && this.input.length === 0) {
      this.connection.write(utf8Bytes('HTTP/1.1 100 Continue\r\n\r\n'))
    }
    return true
  }

  private readBody(): boolean {
    const length = this.head!.body
    if (length !== 'chunked') {
      if (this.input.length < length) return false
      const body = this.input.subarray(0, length)
      this.input = this.input.subarray(length)
      this.answer(this.head!, body)
      return true
    }
    const result = this.chunked!.read(this.input)
    if (typeof result === 'number') {
      this.refuse(result)
      return false
    }
    this.input = this.input.subarray(result.used)
    if (result.done) this.answer(this.head!, this.chunked!.whole())
    return result.done
  }

  private answer(head: Http1Head, body: Uint8Array): void {
    this.state = 'answering'
    this.timer?.cancel()
    const { method, path } = head
    if (!isServedMethod(method)) {
      this.respond(plainResponse(405, { allow: 'GET, HEAD, POST' }))
      return
    }
    const handler = this.owner.find(path)
    if (handler === undefined) {
      this.respond(plainResponse(404))
      return
    }
    const request: Http1Request = { method, path, query: new URLSearchParams(head.query), headers: head.headers, body }
    const response = handler(request)
    if (!(response instanceof Promise)) {
      this.respond(response)
      return
    }
    response.then(
      (settled) => this.respond(settled),
      (error: unknown) => {
        this.owner.failed(path, error)
        this.respond(plainResponse(500))
      },
    )
  }

  private respond(response: Http1Response): void {
    this.owner.finished(response.status)
    if (this.state !== 'answering') return
    const head = this.head!
    this.keepAlive = head.keepAlive && !this.isDraining && !this.inputEnded
    const body = typeof response.body === 'string' ? utf8Bytes(response.body) : (response.body ?? noBytes)
    this.state = 'sending'
    if (typeof body === 'function') {
      this.write(encodeResponseHead(response, 'chunked', this.keepAlive))
      if (head.method === 'HEAD') this.responseSent()
      else this.sendStream(body)
      return
    }
    const headBytes = encodeResponseHead(response, body.length, this.keepAlive)
    const hasBody = head.method !== 'HEAD' && response.status !== 204 && response.status !== 304
    this.write(hasBody ? Buffer.concat([headBytes, body]) : headBytes)
    this.responseSent()
  }

  private sendStream(body: (stream: Http1BodyStream) => void): void {
    this.stream = new ResponseStream(
      (bytes) => this.write(bytes),
      () => {
        this.stream = undefined
        this.responseSent()
      },
    )
    body(this.stream)
  }

  /** The response is handed to the transport. The next request is served once the transport has room for its answer. */
  private responseSent(): void {
    if (this.state !== 'sending' || (this.isBlocked && this.keepAlive)) return
    if (!this.keepAlive || this.isDraining) {
      this.close()
      return
    }
    this.state = 'head'
    this.head = undefined
    if (this.isPaused) {
      this.isPaused = false
      this.connection.resume()
    }
    if (this.input.length > 0) this.armReceiveTimer()
    else this.setTimer(this.owner.options.idleTimeoutMs, () => this.close())
    this.parse()
    if (this.inputEnded && this.state === 'head') this.close()
  }

  private refuse(status: number): void {
    this.owner.finished(status)
    this.connection.write(encodeResponseHead({ status }, 0, false))
    this.close()
  }

  /** Sends what is queued and closes; a client that neither reads nor closes is dropped. */
  private close(): void {
    if (this.state === 'closing' || this.state === 'gone') return
    this.state = 'closing'
    this.input = noBytes
    if (this.isPaused) this.connection.resume()
    this.connection.end()
    const { sendTimeoutMs } = this.owner.options
    this.setTimer(this.connection.queuedBytes > 0 ? sendTimeoutMs : lingerMs, () => this.connection.destroy())
  }

  private armReceiveTimer(): void {
    this.setTimer(this.owner.options.receiveTimeoutMs, () => this.refuse(408))
  }

  private write(bytes: Uint8Array): boolean {
    if (this.connection.write(bytes)) return true
    if (!this.isBlocked) this.setTimer(this.owner.options.sendTimeoutMs, () => this.connection.destroy())
    this.isBlocked = true
    return false
  }

  private setTimer(delayMs: number, callback: () => void): void {
    this.timer?.cancel()
    this.timer = this.owner.scheduler.setTimer(delayMs, callback)
  }
}

const noBytes: Buffer = Buffer.alloc(0)

/** Whether `input` cannot become a request line, which begins with a method in capitals and a space. */
function isGarbage(input: Buffer): boolean {
  return !/^[A-Z]{1,16}( |$)/.test(input.latin1Slice(0, Math.min(input.length, 17)))
}

/** Whether the first line of `input`, which has one, ends as a request line does. */
function hasHttpVersion(input: Buffer): boolean {
  const end = input.indexOf('\r\n', 0, 'latin1')
  return / HTTP\/\d\.\d$/.test(input.latin1Slice(Math.max(0, end - 9), end))
}
