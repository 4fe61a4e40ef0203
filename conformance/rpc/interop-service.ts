/**
 * The service that gRPC implementations test each other with (grpc/grpc doc/interop-test-descriptions.md), in Synod's
 * terms: what it is, and how the document wants a server of it to behave.
 */
import { join } from 'node:path'
import { loadSync } from '@grpc/proto-loader'
import {
  cameCompressed,
  compressed,
  type DefinedService,
  grpcService,
  rpcCodeOf,
  uncompressed,
} from '../../src/rpc/grpc/index.ts'
import { type CallContext, type ImplementedService, implement, type Method, RpcError } from '../../src/rpc/index.ts'

export interface Payload {
  readonly body: Uint8Array
}

interface BoolValue {
  readonly value: boolean
}

export interface EchoStatus {
  readonly code: number
  readonly message: string
}

export interface SimpleRequest {
  readonly responseSize?: number
  readonly payload?: Payload
  readonly responseStatus?: EchoStatus
  readonly fillServerId?: boolean
  readonly responseCompressed?: BoolValue
  readonly expectCompressed?: BoolValue
}

interface InputRequest {
  readonly payload: Payload
  readonly expectCompressed?: BoolValue
}

export interface SimpleResponse {
  readonly payload?: Payload
  readonly serverId?: string
}

interface ResponseParameters {
  readonly size: number
  readonly intervalUs?: number
  readonly compressed?: BoolValue
}

export interface OutputRequest {
  readonly responseParameters?: readonly ResponseParameters[]
  readonly payload?: Payload
  readonly responseStatus?: EchoStatus
}

type Empty = Readonly<Record<string, never>>

type TestMethods = {
  readonly emptyCall: Method<Empty, Empty, 'unary'>
  readonly unaryCall: Method<SimpleRequest, SimpleResponse, 'unary'>
  readonly cacheableUnaryCall: Method<SimpleRequest, SimpleResponse, 'unary'>
  readonly streamingOutputCall: Method<OutputRequest, { readonly payload: Payload }, 'server-streaming'>
  readonly streamingInputCall: Method<InputRequest, { readonly aggregatedPayloadSize: number }, 'client-streaming'>
  readonly fullDuplexCall: Method<OutputRequest, { readonly payload: Payload }, 'bidi-streaming'>
  readonly halfDuplexCall: Method<OutputRequest, { readonly payload: Payload }, 'bidi-streaming'>
  readonly unimplementedCall: Method<Empty, Empty, 'unary'>
}

type UnimplementedMethods = { readonly unimplementedCall: Method<Empty, Empty, 'unary'> }

const definitions = loadSync(join(import.meta.dirname, 'interop.proto'))
const definitionOf = (name: string): DefinedService => definitions[`grpc.testing.${name}`] as DefinedService

export const testService = grpcService<TestMethods>(definitionOf('TestService'))
export const unimplementedService = grpcService<UnimplementedMethods>(definitionOf('UnimplementedService'))

export const initialEchoName = 'x-grpc-test-echo-initial'
export const trailingEchoName = 'x-grpc-test-echo-trailing-bin'

/** A server of the document's service. */
export function testServiceOf(serverId: string): ImplementedService {
  const unaryCall = (request: SimpleRequest, context: CallContext): SimpleResponse => {
    const { responseSize = 0, responseStatus, responseCompressed } = request
    echoMetadata(context)
    echoStatus(responseStatus)
    expectAsTold(request)
    return sentAs({ payload: payloadOf(responseSize), serverId }, responseCompressed)
  }
  return implement(testService, {
    emptyCall: () => ({}),
    unaryCall,
    cacheableUnaryCall: unaryCall,
    streamingOutputCall: (request) => outputsOf(request),
    async streamingInputCall(requests) {
      let aggregatedPayloadSize = 0
      for await (const request of requests) {
        expectAsTold(request)
        aggregatedPayloadSize += request.payload.body.length
      }
      return { aggregatedPayloadSize }
    },
    async *fullDuplexCall(requests, context) {
      echoMetadata(context)
      for await (const request of requests) {
        echoStatus(request.responseStatus)
        yield* outputsOf(request)
      }
    },
    async *halfDuplexCall(requests) {
      const all: OutputRequest[] = []
      for await (const request of requests) all.push(request)
      for (const request of all) yield* outputsOf(request)
    },
  })
}

export function payloadOf(size: number): Payload {
  return { body: new Uint8Array(size) }
}

async function* outputsOf({ responseParameters = [] }: OutputRequest): AsyncGenerator<{ readonly payload: Payload }> {
  for (const { size, intervalUs = 0, compressed } of responseParameters) {
    if (intervalUs > 0) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1_000))
    yield sentAs({ payload: payloadOf(size) }, compressed)
  }
}

function echoMetadata(context: CallContext): void {
  const initial = context.metadata.get(initialEchoName)
  const trailing = context.metadata.get(trailingEchoName)
  if (initial !== undefined) context.sendHeaders({ [initialEchoName]: initial })
  if (trailing !== undefined) context.setTrailer(trailingEchoName, trailing)
}

function echoStatus(status: EchoStatus | undefined): void {
  const code = status === undefined ? undefined : rpcCodeOf(status.code)
  if (code !== undefined) throw new RpcError(code, status!.message)
}

/** A message that says how it comes, and does not come so, is the client's mistake. */
function expectAsTold(request: SimpleRequest | InputRequest): void {
  const { expectCompressed } = request
  if (expectCompressed == null || isTrue(expectCompressed) === cameCompressed(request)) return
  throw new RpcError('INVALID_ARGUMENT', `the message came ${isTrue(expectCompressed) ? 'un' : ''}compressed`)
}

/** As the client asks for it; as the server's transport would have it where it asks for nothing. */
function sentAs<T extends object>(message: T, asked: BoolValue | undefined): T {
  if (asked == null) return message
  return isTrue(asked) ? compressed(message) : uncompressed(message)
}

/** What is false is left out on the wire. */
function isTrue({ value = false }: Partial<BoolValue>): boolean {
  return value
}
