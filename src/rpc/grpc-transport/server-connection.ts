/** gRPC on one accepted HTTP/2 connection: turns streams into calls (grpc/grpc doc/PROTOCOL-HTTP2.md). */
import type {
  BufferBudget,
  Http2Handler,
  Http2ServerConnection,
  Http2Stream,
  StreamReceiver,
} from '../../wire/http2/index.ts'
import { type Method, noMetadata, type Service } from '../service/index.ts'
import type { GrpcListener } from './grpc-listener.ts'
import { ownMethod, ownService, serveOwn } from './own-services.ts'
import { planOf, type RequestPlan, type RequestRefusal } from './request-plan.ts'
import { ResponseTemplates } from './response-templates.ts'
import { GrpcIncomingCall } from './server-call.ts'

export class GrpcServedConnection implements Http2Handler {
  readonly server: GrpcListener
  readonly peer: string
  readonly templates: ResponseTemplates
  /** What unfinished requests hold together. */
  readonly budget: BufferBudget
  private readonly http2: Http2ServerConnection

  constructor(server: GrpcListener, http2: Http2ServerConnection) {
    this.server = server
    this.http2 = http2
    this.peer = http2.connection.remoteAddress
    this.templates = new ResponseTemplates(http2.encoder)
    this.budget = {
      claim: (byteLength) => {
        if (http2.requestBytesHeld + byteLength > server.bufferedBytesMax) return false
        http2.requestBytesHeld += byteLength
        if (http2.noteHeld()) return true
        http2.requestBytesHeld -= byteLength
        return false
      },
      release: (byteLength) => {
        http2.requestBytesHeld -= byteLength
      },
    }
  }

  onStream(stream: Http2Stream, endStream: boolean): StreamReceiver {
    const plan = (stream.head.memo ??= planOf(stream.head, this.server.methods)) as RequestPlan | RequestRefusal
    if (!('served' in plan)) {
      const { httpStatus, status, message, tellsEncodings } = plan
      const { templates } = this
      const whole = tellsEncodings
        ? templates.unreadEncoding(status, message)
        : templates.trailersOnly(httpStatus, status, message, noMetadata)
      stream.sendHeaders(whole, true)
      return deafReceiver
    }
    this.server.callBegan()
    const { served } = plan
    const isOwn = served.kind === 'own'
    const call = this.makeCall(stream, plan, isOwn ? { service: ownService, method: ownMethod(served.method) } : served)
    if (isOwn) serveOwn(call, served.method)
    else this.server.onCall(call)
    if (endStream) call.onData(noBytes, 0, 0, true)
    return call
  }

  onClosed(): void {}

  private makeCall(
    stream: Http2Stream,
    plan: RequestPlan,
    served: { readonly service: Service; readonly method: Method },
  ): GrpcIncomingCall {
    return new GrpcIncomingCall(this, stream, plan, served)
  }

  /** For people and tests. */
  get openStreams(): number {
    return this.http2.openStreams
  }
}

const noBytes: Buffer = Buffer.alloc(0)

/** For streams that were answered at once. */
const deafReceiver: StreamReceiver = { onData() {}, onReset() {}, onDrain() {} }
