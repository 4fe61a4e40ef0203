/** A handler that forwards everything to one pool, and no more; notes how exchanges ended. */
import type {
  AttemptFailure,
  ClientInfo,
  EndpointPool,
  Fields,
  RequestConsumer,
  RequestHandler,
  RequestHead,
  Responder,
  ResponseHead,
  ResponseReceiver,
  UpstreamCall,
} from '../index.ts'
import { responseHead } from './response-head.ts'

export class Forwarder implements RequestHandler {
  finished = 0
  retries = 0
  /** Why, one for each exchange that was. */
  readonly aborted: string[] = []
  readonly refused: { readonly status: number; readonly reason: string }[] = []
  readonly failures: AttemptFailure[] = []
  readonly pool: EndpointPool
  readonly retriesMax: number

  /** `retriesMax`: so often in all, a request without a body that was not processed is sent again. */
  constructor(pool: EndpointPool, retriesMax = 0) {
    this.pool = pool
    this.retriesMax = retriesMax
  }

  onRequest(head: RequestHead, responder: Responder): RequestConsumer {
    const back = new ResponseForward(this, head, responder)
    back.attempt()
    return new RequestForward(this, responder, back)
  }

  onRefused(_client: ClientInfo, status: number, reason: string): void {
    this.refused.push({ status, reason })
  }
}

/** The request's way: client to endpoint. */
class RequestForward implements RequestConsumer {
  private readonly owner: Forwarder
  private readonly responder: Responder
  private readonly back: ResponseForward

  constructor(owner: Forwarder, responder: Responder, back: ResponseForward) {
    this.owner = owner
    this.responder = responder
    this.back = back
  }

  onData(bytes: Uint8Array): void {
    if (!this.back.call!.write(bytes)) this.responder.pause()
  }

  onEnd(trailers: Fields | undefined): void {
    this.back.call!.end(trailers)
  }

  onDrain(): void {
    this.back.call!.resume()
  }

  onAborted(reason: string): void {
    this.owner.aborted.push(reason)
    this.back.call!.abort()
  }

  onFinished(): void {
    this.owner.finished++
  }
}

/** The response's way: endpoint to client. */
class ResponseForward implements ResponseReceiver {
  call: UpstreamCall | undefined
  private readonly owner: Forwarder
  private readonly head: RequestHead
  private readonly responder: Responder
  private hasBegun = false

  constructor(owner: Forwarder, head: RequestHead, responder: Responder) {
    this.owner = owner
    this.head = head
    this.responder = responder
  }

  attempt(): void {
    this.call = this.owner.pool.send(this.head, this)
  }

  onInformational(status: number, fields: Fields): void {
    this.responder.sendInformational(status, fields)
  }

  onHead(head: ResponseHead, end: boolean): void {
    this.hasBegun = true
    this.responder.sendHead(head, end)
  }

  onData(bytes: Uint8Array): void {
    if (!this.responder.sendData(bytes)) this.call!.pause()
  }

  onEnd(trailers: Fields | undefined): void {
    this.responder.sendEnd(trailers)
  }

  onDrain(): void {
    this.responder.resume()
  }

  onFailed(failure: AttemptFailure): void {
    const { owner } = this
    if (failure.isUnprocessed && this.head.bodyLength === 0 && owner.retries < owner.retriesMax) {
      owner.retries++
      this.attempt()
      return
    }
    owner.failures.push(failure)
    if (this.hasBegun) this.responder.abort()
    else this.responder.sendHead(responseHead(502), true)
  }
}
