import { emptyBytes, ProtobufReader } from '../../base/index.ts'
import type { CoordinationEngine } from '../../engine/coordination/index.ts'
import { type GrpcMethod, type UnaryCall, unary } from '../grpc/index.ts'
import { failCall } from './errors.ts'

/** Serves one request after another: decoding never waits. */
const reader = new ProtobufReader(emptyBytes)

/**
 * A unary method: decodes the request, refuses it when malformed, when this node is a learner (unless `learnerServes`
 * says that a learner may answer it) or when it asks for a leader (metadata `hasleader`) and none is known, else hands it
 * to `handle`.
 */
export function decodedUnary<Request>(
  engine: CoordinationEngine,
  decode: (reader: ProtobufReader) => Request,
  handle: (call: UnaryCall, request: Request) => void,
  learnerServes: (request: Request) => boolean = () => false,
): GrpcMethod {
  return unary((call) => {
    reader.reset(call.message)
    const request = decode(reader)
    if (reader.malformed) failCall(call, 'MALFORMED_REQUEST')
    else if (engine.isLearner && !learnerServes(request)) failCall(call, 'NOT_SUPPORTED_FOR_LEARNER')
    else if (!engine.hasLeader && call.metadata('hasleader') === 'true') failCall(call, 'NO_LEADER_KNOWN')
    else handle(call, request)
  })
}
