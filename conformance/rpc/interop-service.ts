/**
 * The service that gRPC implementations test each other with (grpc/grpc doc/interop-test-descriptions.md), in Synod's
 * terms: what it is, and how the document wants a server of it to behave.
 */
import { join } from 'node:path'
import { loadSync } from '@grpc/proto-loader'
import { type DefinedService, grpcService, rpcCodeOf } from '../../src/rpc/grpc/index.ts'
import { type CallContext, type ImplementedService, implement, type Method, RpcError } from '../../src/rpc/index.ts'

export interface Payload {
  readonly body: Uint8Array
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
}

interface SimpleResponse {
  readonly payload?: Payload
  readonly serverId?: string
}

export interface OutputRequest {
  readonly responseParameters?: readonly { readonly size: number; readonly intervalUs?: number }[]
  readonly payload?: Payload
  readonly responseStatus?: EchoStatus
}

type Empty = Readonly<Record<string, never>>

type TestMethods = {
  readonly emptyCall: Method<Empty, Empty, 'unary'>
  readonly unaryCall: Method<SimpleRequest, SimpleResponse, 'unary'>
  readonly cacheableUnaryCall: Method<SimpleRequest, SimpleResponse, 'unary'>
  readonly streamingOutputCall: Method<OutputRequest, { readonly payload: Payload }, 'server-streaming'>
  readonly streamingInputCall: Method<
    { readonly payload: Payload },
    { readonly aggregatedPayloadSize: number },
    'client-streaming'
  >
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
  const unaryCall = ({ responseSize = 0, responseStatus }: SimpleRequest, context: CallContext): SimpleResponse => {
    echoMetadata(context)
    echoStatus(responseStatus)
    return { payload: payloadOf(responseSize), serverId }
  }
  return implement(testService, {
    emptyCall: () => ({}),
    unaryCall,
    cacheableUnaryCall: unaryCall,
    streamingOutputCall: (request) => outputsOf(request),
    async streamingInputCall(requests) {
      let aggregatedPayloadSize = 0
      for await (const { payload } of requests) aggregatedPayloadSize += payload.body.length
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
  for (const { size, intervalUs = 0 } of responseParameters) {
    if (intervalUs > 0) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1_000))
    yield { payload: payloadOf(size) }
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
