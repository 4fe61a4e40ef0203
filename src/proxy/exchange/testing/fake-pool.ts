/** Connections to an endpoint whose answers the test gives; fails when X1 to X5 of `http/exchange.ts` are broken. */
import assert from 'node:assert/strict'
import type {
  AttemptFailure,
  EndpointPool,
  Fields,
  OutgoingRequest,
  ResponseHead,
  ResponseReceiver,
  UpstreamCall,
} from '../../http/index.ts'
import { MadeHead } from '../answers.ts'

export class FakeCall implements UpstreamCall {
  readonly endpoint: string
  readonly request: OutgoingRequest
  body = ''
  trailers: Fields | undefined
  hasEnded: boolean
  isAborted = false
  isPaused = false
  /** What `write` says. */
  wantsMore = true
  /** The response is complete, or failed. */
  isAnswered = false
  /** It carries another protocol, each half until that ends. */
  isUpgraded = false
  hasServerLeft = false
  hasHead = false
  private readonly receiver: ResponseReceiver

  constructor(endpoint: string, request: OutgoingRequest, receiver: ResponseReceiver) {
    this.endpoint = endpoint
    this.request = request
    this.receiver = receiver
    this.hasEnded = request.bodyLength === 0
  }

  get isOver(): boolean {
    return this.isAborted || this.isAnswered
  }

  write(bytes: Uint8Array): boolean {
    assert.equal(this.hasEnded && this.request.upgrade === undefined, false, 'written after the end')
    assert.equal(this.isOver, false, 'written to a call that is over')
    this.body += Buffer.from(bytes).toString('latin1')
    return this.wantsMore
  }

  end(trailers?: Fields): void {
    assert.equal(this.isOver, false, 'ended a call that is over')
    assert.equal(this.hasEnded && this.request.upgrade === undefined, false, 'ended twice')
    this.hasEnded = true
    this.isAnswered = this.hasServerLeft
    this.trailers = trailers
  }

  pause(): void {
    assert.equal(this.isOver, false)
    this.isPaused = true
  }

  resume(): void {
    assert.equal(this.isOver, false)
    this.isPaused = false
  }

  abort(): void {
    assert.equal(this.isAborted, false, 'a second abort')
    this.isAborted = true
  }

  // What the endpoint does.

  informs(status: number): void {
    if (!this.isOver) this.receiver.onInformational(status, [])
  }

  answers(status: number, body: string | undefined = '', fields: Fields = []): void {
    this.begins(status, body === '', fields)
    if (body !== '') {
      this.sends(body)
      this.ends()
    }
  }

  begins(status: number, end = false, fields: Fields = []): void {
    if (this.isOver || this.hasHead) return
    this.hasHead = true
    this.isAnswered = end
    this.isUpgraded = status === 101 && this.request.upgrade !== undefined
    if (this.isUpgraded) this.hasEnded = false
    this.receiver.onHead(new MadeHead(status, fields, end ? 0 : 'unknown'), end)
  }

  /** A whole response without a body, with this very head. */
  beginsWith(head: ResponseHead): void {
    this.hasHead = true
    this.isAnswered = true
    this.receiver.onHead(head, true)
  }

  sends(body: string): void {
    if (!this.isOver && this.hasHead && !this.hasServerLeft) this.receiver.onData(Buffer.from(body, 'latin1'))
  }

  ends(trailers?: Fields): void {
    if (this.isOver || !this.hasHead || this.hasServerLeft) return
    this.hasServerLeft = this.isUpgraded
    this.isAnswered = !this.isUpgraded || this.hasEnded
    this.receiver.onEnd(trailers)
  }

  drains(): void {
    this.wantsMore = true
    if (!this.isOver) this.receiver.onDrain()
  }

  fails(kind: AttemptFailure['kind'], isUnprocessed = kind.startsWith('connect')): void {
    if (this.isOver) return
    this.isAnswered = true
    this.receiver.onFailed({ kind, isUnprocessed, detail: `${kind} at ${this.endpoint}` })
  }
}

export class FakePool implements EndpointPool {
  readonly connections = 1
  readonly idleConnections = 0
  isDrained = false
  private readonly endpoint: string
  private readonly calls: FakeCall[]

  constructor(endpoint: string, calls: FakeCall[]) {
    this.endpoint = endpoint
    this.calls = calls
  }

  send(request: OutgoingRequest, receiver: ResponseReceiver): UpstreamCall {
    assert.equal(this.isDrained, false, 'sent on a drained pool')
    const call = new FakeCall(this.endpoint, request, receiver)
    this.calls.push(call)
    return call
  }

  drain(): void {
    this.isDrained = true
  }
}
