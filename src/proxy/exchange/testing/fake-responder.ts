/** A client's side of an exchange that keeps what it is sent, and fails when X1 to X5 of `http/exchange.ts` are broken. */
import assert from 'node:assert/strict'
import type { ClientInfo, Fields, Responder, ResponseHead } from '../../http/index.ts'

export const clientInfo: ClientInfo = {
  address: '203.0.113.9',
  port: 4_000,
  localPort: 8_080,
  tls: undefined,
  listener: 'web',
}

export class FakeResponder implements Responder {
  readonly client: ClientInfo
  readonly informational: number[] = []
  head: ResponseHead | undefined
  body = ''
  trailers: Fields | undefined
  hasEnded = false
  isAborted = false
  isUpgraded = false
  isPaused = false
  bytesSent = 0
  /** What `sendData` says. */
  wantsMore = true
  private readonly isBodyless: boolean

  constructor(method = 'GET', client: ClientInfo = clientInfo) {
    this.client = client
    this.isBodyless = method === 'HEAD'
  }

  get isOver(): boolean {
    return this.hasEnded || this.isAborted
  }

  sendInformational(status: number): void {
    assert.equal(this.head, undefined, 'an interim response after the head')
    assert.equal(this.isOver, false)
    this.informational.push(status)
  }

  sendHead(head: ResponseHead, end: boolean): void {
    assert.equal(this.head, undefined, 'a second head')
    assert.equal(this.isOver, false)
    this.head = head
    this.hasEnded = end
    this.isUpgraded = head.status === 101
  }

  sendData(bytes: Uint8Array): boolean {
    assert.notEqual(this.head, undefined, 'data before the head')
    assert.equal(this.isOver, false, 'data after the end')
    assert.equal(this.isBodyless, false, 'a body for HEAD')
    this.body += Buffer.from(bytes).toString('latin1')
    this.bytesSent += bytes.length
    return this.wantsMore
  }

  sendEnd(trailers?: Fields): void {
    assert.notEqual(this.head, undefined, 'an end before the head')
    assert.equal(this.isOver, false, 'a second end')
    this.hasEnded = true
    this.trailers = trailers
  }

  abort(): void {
    assert.equal(this.isAborted, false, 'a second abort')
    this.isAborted = true
  }

  pause(): void {
    assert.equal(this.isPaused, false, 'paused twice')
    this.isPaused = true
  }

  resume(): void {
    assert.equal(this.isPaused, true, 'resumed without pause')
    this.isPaused = false
  }
}
