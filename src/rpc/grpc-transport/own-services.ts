/**
 * gRPC's own services, health and reflection, on calls of this folder: what `wire/grpc` says about them is written for
 * its own calls, of which these are given the part that it uses.
 */
import { type GrpcMethod, GrpcStatusCode, type StreamCall, type UnaryCall } from '../../wire/grpc/index.ts'
import { type Codec, type Method, noMetadata, type Service } from '../service/index.ts'
import type { IncomingCall } from '../transport/index.ts'
import { rpcCodeOf } from './status.ts'

const bytesCodec: Codec<Uint8Array> = { encode: (bytes) => bytes, decode: (bytes) => bytes }
const unaryMethod: Method = {
  name: 'unary',
  kind: 'unary',
  request: bytesCodec as Codec<unknown>,
  response: bytesCodec as Codec<unknown>,
  isIdempotent: true,
}
const streamMethod: Method = { ...unaryMethod, name: 'stream', kind: 'bidi-streaming' }

/** Stands for the service of such calls. */
export const ownService: Service = { name: 'grpc', methods: {} }

export function ownMethod(method: GrpcMethod): Method {
  return method.kind === 'unary' ? unaryMethod : streamMethod
}

/** Serves a call by one of `wire/grpc`'s methods. */
export function serveOwn(call: IncomingCall, method: GrpcMethod): void {
  if (method.kind === 'unary') serveUnary(call, method.handler)
  else serveStream(call, method.handler)
}

type UnaryPart = Pick<UnaryCall, 'message' | 'reply' | 'fail'>
type StreamPart = Pick<
  StreamCall,
  'onMessage' | 'onHalfClose' | 'onCancel' | 'onDrain' | 'pause' | 'resume' | 'send' | 'end' | 'fail'
>

function serveUnary(call: IncomingCall, handler: (call: UnaryCall) => void): void {
  call.receive({
    onMessage(message) {
      const part: UnaryPart = {
        message,
        reply(...chunks) {
          call.send(Buffer.concat(chunks))
          call.end(undefined, '', noMetadata)
        },
        fail: (status, text) => call.end(rpcCodeOf(status), text, noMetadata),
      }
      handler(part as UnaryCall)
    },
    onHalfClose() {},
    onDrain() {},
    onCancel() {},
  })
}

/** Messages that come before the handler asks for them are not there: it asks at once, before the call is told any. */
function serveStream(call: IncomingCall, handler: (call: StreamCall) => void): void {
  let onMessage: (message: Uint8Array) => void = () => {}
  let onHalfClose: () => void = () => {}
  let onCancel: () => void = () => {}
  let onDrain: () => void = () => {}
  const finish = (status: GrpcStatusCode, text: string): void => {
    call.end(rpcCodeOf(status), text, noMetadata)
    // What hangs on the call, such as a listener, is let go by its cancellation in any case.
    onCancel()
    onCancel = () => {}
  }
  const part: StreamPart = {
    onMessage: (callback) => {
      onMessage = callback
    },
    onHalfClose: (callback) => {
      onHalfClose = callback
    },
    onCancel: (callback) => {
      onCancel = callback
    },
    onDrain: (callback) => {
      onDrain = callback ?? onDrain
    },
    pause: () => call.pause(),
    resume: () => call.resume(),
    send: (...chunks) => call.send(Buffer.concat(chunks)),
    end: () => finish(GrpcStatusCode.ok, ''),
    fail: finish,
  }
  handler(part as StreamCall)
  call.receive({
    onMessage: (message) => onMessage(message),
    onHalfClose: () => onHalfClose(),
    onDrain: () => onDrain(),
    onCancel: () => onCancel(),
  })
}
