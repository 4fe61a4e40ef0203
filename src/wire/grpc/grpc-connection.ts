/**
 * gRPC on one HTTP/2 connection (grpc/grpc doc/PROTOCOL-HTTP2.md): turns streams into calls. Requests that are not
 * gRPC's go to the server's pages, when it has any.
 *
 * I1. `http2.requestBytesHeld` is what the unfinished requests of this connection hold.
 * I2. While a request that must be whole before it is served may be arriving, a sweep timer is armed. A request still
 *     arriving two sweeps after its birth is refused, so that half-sent ones do not pile up.
 */
import type {
  BufferBudget,
  Http2Handler,
  Http2ServerConnection,
  Http2Stream,
  RequestReceiver,
  StreamContext,
  StreamReceiver,
} from '../http2/index.ts'
import { CallPlan, type CallRejection, planCall } from './call-plan.ts'
import type { GrpcServer } from './grpc-server.ts'
import { ResponseTemplates } from './response-templates.ts'
import { StreamCall } from './stream-call.ts'
import { UnaryCall } from './unary-call.ts'

export class GrpcConnection implements Http2Handler {
  readonly server: GrpcServer
  readonly http2: Http2ServerConnection
  readonly templates: ResponseTemplates
  readonly budget: BufferBudget

  private readonly context: StreamContext
  /** Counts sweeps (I2). */
  private sweep = 0
  private sweepArmed = false

  constructor(server: GrpcServer, http2: Http2ServerConnection) {
    this.server = server
    this.http2 = http2
    this.templates = new ResponseTemplates(http2.encoder)
    const bytesMax = server.options.connectionBufferedBytesMax
    this.budget = {
      claim: (byteLength) => {
        if (http2.requestBytesHeld + byteLength > bytesMax) return false
        http2.requestBytesHeld += byteLength
        if (http2.noteHeld()) return true
        http2.requestBytesHeld -= byteLength
        return false
      },
      release: (byteLength) => {
        http2.requestBytesHeld -= byteLength
      },
    }
    this.context = { encoder: http2.encoder, budget: this.budget }
  }

  get frameBytesMax(): number {
    return this.http2.sender.frameBytesMax
  }

  onStream(stream: Http2Stream, endStream: boolean): StreamReceiver {
    const head = stream.head
    const plan = (head.memo ??= planCall(head, this.server.methods, this.server.pages !== undefined))
    this.server.streamsStarted++
    if (plan === 'not-grpc') {
      const page = this.server.pages!.onStream(stream, endStream, this.context)
      if (!endStream) this.expect(page)
      return page
    }
    if (!(plan instanceof CallPlan)) return this.reject(stream, plan as CallRejection)
    const method = plan.registered.method
    if (method.kind === 'unary') {
      const call = new UnaryCall(this, stream, plan)
      if (endStream) call.onData(noBytes, 0, 0, true)
      else this.expect(call)
      return call
    }
    const call = new StreamCall(this, stream, plan)
    method.handler(call)
    if (endStream) call.onData(noBytes, 0, 0, true)
    return call
  }

  onClosed(): void {
    this.server.connectionClosed(this)
  }

  private reject(stream: Http2Stream, rejection: CallRejection): StreamReceiver {
    const finished = rejection.registered?.finished ?? this.server.rejected
    finished[rejection.status]!++
    const { httpStatus, status, message } = rejection
    stream.sendHeaders(this.templates.trailersOnly(httpStatus, status, message), true)
    return deafReceiver
  }

  private expect(request: RequestReceiver): void {
    request.bornInSweep = this.sweep
    if (!this.sweepArmed) this.armSweep()
  }

  private armSweep(): void {
    this.sweepArmed = true
    this.http2.setTimer(this.server.options.unaryRequestTimeoutMs, () => {
      this.sweepArmed = false
      this.sweep++
      let stillReceiving = false
      for (const { receiver } of [...this.http2.streams.open.values()]) {
        if (receiver === undefined || !isReceiving(receiver)) continue
        if (receiver.bornInSweep + 2 > this.sweep) stillReceiving = true
        else receiver.expire()
      }
      if (stillReceiving) this.armSweep()
    })
  }
}

const noBytes: Buffer = Buffer.alloc(0)

function isReceiving(receiver: StreamReceiver): receiver is RequestReceiver {
  return 'isReceiving' in receiver && receiver.isReceiving === true
}

/** For streams that were answered at once. */
const deafReceiver: StreamReceiver = { onData() {}, onReset() {}, onDrain() {} }
