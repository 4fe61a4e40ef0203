/** Both ends of a connection as far as a test looks: a handler that keeps requests, a receiver that keeps responses. */
import { assert } from '../../../base/index.ts'
import type {
  AttemptFailure,
  ClientInfo,
  Fields,
  OutgoingRequest,
  RequestConsumer,
  RequestHandler,
  RequestHead,
  Responder,
  ResponseHead,
  ResponseReceiver,
} from '../../http/index.ts'

/** What a client saw of the requests that a {@link RecordingHandler} was handed. */
export interface RecordedRequest {
  readonly head: RequestHead
  readonly responder: Responder
  body: string
  trailers: Fields | undefined
  isEnded: boolean
  isFinished: boolean
  aborted: string | undefined
  drains: number
}

/** Keeps what it is handed; with `answer` replies to each request as soon as it is complete. */
export class RecordingHandler implements RequestHandler {
  readonly requests: RecordedRequest[] = []
  readonly refused: { readonly status: number; readonly reason: string }[] = []
  private readonly answer: ((request: RecordedRequest) => void) | undefined

  constructor(answer?: (request: RecordedRequest) => void) {
    this.answer = answer
  }

  onRequest(head: RequestHead, responder: Responder): RequestConsumer {
    const request: RecordedRequest = {
      head,
      responder,
      body: '',
      trailers: undefined,
      isEnded: head.bodyLength === 0,
      isFinished: false,
      aborted: undefined,
      drains: 0,
    }
    this.requests.push(request)
    if (request.isEnded) this.answer?.(request)
    return {
      onData: (bytes) => {
        request.body += Buffer.from(bytes).toString('latin1')
      },
      onEnd: (trailers) => {
        request.isEnded = true
        request.trailers = trailers
        this.answer?.(request)
      },
      onDrain: () => {
        request.drains++
      },
      onAborted: (reason) => {
        assert(request.aborted === undefined && !request.isFinished, 'told twice how an exchange ended')
        request.aborted = reason
      },
      onFinished: () => {
        assert(request.aborted === undefined && !request.isFinished, 'told twice how an exchange ended')
        request.isFinished = true
      },
    }
  }

  onRefused(_client: ClientInfo, status: number, reason: string): void {
    this.refused.push({ status, reason })
  }
}

/** A request to send to a pool. */
export function outgoing(over: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    method: 'GET',
    target: '/',
    scheme: 'http',
    authority: 'a',
    fields: [],
    bodyLength: 0,
    upgrade: undefined,
    expectsContinue: false,
    ...over,
  }
}

/** Keeps what comes back from a pool. */
export class RecordingReceiver implements ResponseReceiver {
  readonly informational: number[] = []
  head: ResponseHead | undefined
  body = ''
  trailers: Fields | undefined
  isEnded = false
  failure: AttemptFailure | undefined
  drains = 0

  onInformational(status: number): void {
    this.informational.push(status)
  }

  onHead(head: ResponseHead, end: boolean): void {
    assert(this.head === undefined, 'a second head')
    this.head = head
    this.isEnded = end
  }

  onData(bytes: Uint8Array): void {
    assert(!this.isEnded, 'data after the end')
    this.body += Buffer.from(bytes).toString('latin1')
  }

  onEnd(trailers: Fields | undefined): void {
    assert(!this.isEnded, 'a second end')
    this.isEnded = true
    this.trailers = trailers
  }

  onDrain(): void {
    this.drains++
  }

  onFailed(failure: AttemptFailure): void {
    assert(this.failure === undefined && !this.isEnded, 'a failure after the end')
    this.failure = failure
  }
}
