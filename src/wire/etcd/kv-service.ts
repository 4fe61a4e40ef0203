/**
 * etcd's KV service over the coordination engine: decodes and validates each request once, encodes each answer in the
 * turn in which it comes. Decides nothing.
 */
import {
  type CompactRequest,
  type CoordinationEngine,
  type DeleteRangeRequest,
  decodeCompactRequest,
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  type EngineErrorCode,
  type Failure,
  type OperationResult,
  type PutRequest,
  type RangeRequest,
  type RangeResult,
  type TxnRequest,
  validateDeleteRange,
  validatePut,
  validateRange,
  validateTxn,
} from '../../engine/coordination/index.ts'
import { type GrpcRoutes, GrpcStatusCode, type UnaryCall } from '../grpc/index.ts'
import { failCall } from './errors.ts'
import { KvResponseEncoder } from './kv-responses.ts'
import { LongRangeEncoder } from './long-range.ts'
import { ResponseHeaderEncoder } from './response-header.ts'
import { decodedUnary } from './service-calls.ts'

/** The largest message that gRPC peers take, a signed 32-bit length. */
const responseBytesMax = 0x7fff_ffff

/** A smaller answer is not worth asking whether it may be made. */
const preparedBytesMin = 64 << 10

/** The methods of `etcdserverpb.KV`. */
export function kvRoutes(engine: CoordinationEngine): GrpcRoutes {
  const service = new KvService(engine)
  return {
    '/etcdserverpb.KV/Range': decodedUnary(
      engine,
      decodeRangeRequest,
      (call, request) => service.range(call, request),
      (request) => request.serializable,
    ),
    '/etcdserverpb.KV/Put': decodedUnary(engine, decodePutRequest, (call, request) => service.put(call, request)),
    '/etcdserverpb.KV/DeleteRange': decodedUnary(engine, decodeDeleteRangeRequest, (call, request) => {
      service.deleteRange(call, request)
    }),
    '/etcdserverpb.KV/Txn': decodedUnary(engine, decodeTxnRequest, (call, request) => service.txn(call, request)),
    '/etcdserverpb.KV/Compact': decodedUnary(engine, decodeCompactRequest, (call, request) => {
      service.compact(call, request)
    }),
  }
}

class KvService {
  private readonly engine: CoordinationEngine
  private readonly header: ResponseHeaderEncoder
  private readonly responses: KvResponseEncoder

  constructor(engine: CoordinationEngine) {
    this.engine = engine
    this.header = new ResponseHeaderEncoder(engine)
    this.responses = new KvResponseEncoder(this.header, () => engine.store)
  }

  range(call: UnaryCall, request: RangeRequest): void {
    if (refuse(call, validateRange(request))) return
    this.engine.range(request, (outcome) => {
      if (!outcome.ok) failCall(call, outcome.code)
      else if (outcome.pin === undefined) this.reply(call, outcome)
      else this.replyLong(call, outcome)
    })
  }

  put(call: UnaryCall, request: PutRequest): void {
    if (refuse(call, validatePut(request))) return
    this.engine.put(request, call.message, (outcome) => this.answer(call, outcome))
  }

  deleteRange(call: UnaryCall, request: DeleteRangeRequest): void {
    if (refuse(call, validateDeleteRange(request))) return
    this.engine.deleteRange(request, call.message, (outcome) => this.answer(call, outcome))
  }

  txn(call: UnaryCall, request: TxnRequest): void {
    if (refuse(call, validateTxn(request, this.engine.options.maxTxnOps))) return
    this.engine.txn(request, call.message, (outcome) => this.answer(call, outcome))
  }

  compact(call: UnaryCall, request: CompactRequest): void {
    this.engine.compact(request, call.message, (outcome) => {
      if (outcome.ok) call.reply(this.header.encode(outcome.revision))
      else failCall(call, outcome.code)
    })
  }

  private answer(call: UnaryCall, outcome: OperationResult | Failure): void {
    if (outcome.ok) this.reply(call, outcome)
    else failCall(call, outcome.code)
  }

  private reply(call: UnaryCall, outcome: OperationResult): void {
    const response = this.responses.encode(
      outcome,
      (byteLength) => byteLength <= preparedBytesMin || call.prepare(byteLength),
    )
    if (response !== undefined) call.reply(response)
  }

  /** Encodes in slices, then replies; gives up when the caller is gone. */
  private replyLong(call: UnaryCall, result: RangeResult): void {
    let refused = false
    const encoder = new LongRangeEncoder(result, this.header, (byteLength) => {
      refused = !call.prepare(byteLength)
      return !refused
    })
    this.engine.runInSlices(() => {
      if (!call.cancelled && encoder.byteLength <= responseBytesMax && encoder.step()) return true
      result.pin?.close()
      if (encoder.byteLength > responseBytesMax) {
        const message = `trying to send message larger than max (${encoder.byteLength} vs. ${responseBytesMax})`
        call.fail(GrpcStatusCode.resourceExhausted, message)
      } else if (!refused && !call.cancelled) call.reply(...encoder.chunks)
      return false
    })
  }
}

/** Fails the call when its request is wrong, as `error` says. */
function refuse(call: UnaryCall, error: EngineErrorCode | undefined): boolean {
  if (error !== undefined) failCall(call, error)
  return error !== undefined
}
