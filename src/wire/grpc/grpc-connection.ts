/**
 * gRPC on one HTTP/2 connection (grpc/grpc doc/PROTOCOL-HTTP2.md): turns streams into calls.
 *
 * I1. `bufferedBytes` is what the unfinished messages of this connection hold.
 * I2. While a unary call may be receiving its request, a sweep timer is armed. A call still receiving two sweeps
 *     after its birth is failed, so that half-sent requests do not pile up.
 */
import type { Http2Handler, Http2ServerConnection, Http2Stream, StreamReceiver } from '../http2/index.ts'
import { CallPlan, type CallRejection, planCall } from './call-plan.ts'
import type { GrpcServer } from './grpc-server.ts'
import type { BufferBudget } from './message-reader.ts'
import { ResponseTemplates } from './response-templates.ts'
import { GrpcStatusCode } from './status.ts'
import { StreamCall } from './stream-call.ts'
import { UnaryCall } from './unary-call.ts'

export class GrpcConnection implements Http2Handler {
  readonly server: GrpcServer
  readonly http2: Http2ServerConnection
  readonly templates: ResponseTemplates
  readonly budget: BufferBudget
  /** Counts sweeps (I2). */
  sweep = 0

  private bufferedBytes = 0
  private sweepArmed = false

  constructor(server: GrpcServer, http2: Http2ServerConnection) {
    this.server = server
    this.http2 = http2
    this.templates = new ResponseTemplates(http2.encoder)
    const bytesMax = server.options.connectionBufferedBytesMax
    this.budget = {
      claim: (byteLength) => {
        if (this.bufferedBytes + byteLength > bytesMax) return false
        this.bufferedBytes += byteLength
        return true
      },
      release: (byteLength) => {
        this.bufferedBytes -= byteLength
      },
    }
  }

  get frameBytesMax(): number {
    return this.http2.sender.frameBytesMax
  }

  onStream(stream: Http2Stream, endStream: boolean): StreamReceiver {
    const head = stream.head
    const plan = (head.memo ??= planCall(head, this.server.methods))
    this.server.streamsStarted++
    if (!(plan instanceof CallPlan)) return this.reject(stream, plan as CallRejection)
    const method = plan.registered.method
    if (method.kind === 'unary') {
      const call = new UnaryCall(this, stream, plan)
      if (endStream) call.onData(noBytes, 0, 0, true)
      else if (!this.sweepArmed) this.armSweep()
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

  private armSweep(): void {
    this.sweepArmed = true
    this.http2.setTimer(this.server.options.unaryRequestTimeoutMs, () => {
      this.sweepArmed = false
      this.sweep++
      let stillReceiving = false
      for (const stream of [...this.http2.streams.open.values()]) {
        const call = stream.receiver
        if (!(call instanceof UnaryCall) || !call.isReceiving) continue
        if (call.bornInSweep + 2 > this.sweep) stillReceiving = true
        else call.fail(GrpcStatusCode.deadlineExceeded, 'the request did not arrive in time')
      }
      if (stillReceiving) this.armSweep()
    })
  }
}

const noBytes: Buffer = Buffer.alloc(0)

/** For streams that were answered at once. */
const deafReceiver: StreamReceiver = { onData() {}, onReset() {}, onDrain() {} }
