/** Services as grpc-js has them: what `@grpc/proto-loader` loads and what grpc-tools generate. */
import {
  type Codec,
  type Method,
  type MethodKind,
  RpcError,
  type Service,
  type ServiceMethods,
} from '../service/index.ts'

/** A method of such a definition: the part that is read. */
export interface DefinedMethod {
  /** `/shop.v1.Orders/PlaceOrder`. */
  readonly path: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  // Methods, not functions: what they take is known by the definition's own types.
  requestSerialize(value: unknown): Uint8Array
  requestDeserialize(bytes: Buffer): unknown
  responseSerialize(value: unknown): Uint8Array
  responseDeserialize(bytes: Buffer): unknown
}

/** grpc-js's `ServiceDefinition`. */
export type DefinedService = Readonly<Record<string, DefinedMethod>>

/** The methods of a definition, by names in lower camel case. Their messages and kinds are not in its type. */
export type DefinitionMethods<Definition> = {
  readonly [Name in keyof Definition & string as Uncapitalize<Name>]: Method
}

/** What proto-loader adds. */
interface LoadedParts {
  readonly requestType?: { readonly fileDescriptorProtos?: readonly Uint8Array[] }
  readonly options?: { readonly idempotency_level?: unknown }
}

export function serviceOfDefinition<Methods extends ServiceMethods>(definition: DefinedService): Service<Methods> {
  const defined = Object.entries(definition)
  const names = new Set(defined.map(([, { path }]) => path.slice(1, path.lastIndexOf('/'))))
  const [name] = names
  if (name === undefined || names.size > 1) {
    throw new RpcError('INVALID_ARGUMENT', `a definition has the methods of one service; this one is of ${[...names]}`)
  }
  const methods: Record<string, Method> = {}
  for (const [key, method] of defined) methods[key.charAt(0).toLowerCase() + key.slice(1)] = methodOf(method)
  const { requestType } = defined[0]![1] as LoadedParts
  return {
    name,
    methods: methods as Methods,
    encoding: 'proto',
    files: requestType?.fileDescriptorProtos,
  }
}

function methodOf(method: DefinedMethod): Method {
  const { options } = method as LoadedParts
  const level = options?.idempotency_level
  return {
    name: method.path.slice(method.path.lastIndexOf('/') + 1),
    kind: kindOf(method),
    request: codecOf(method.requestSerialize, method.requestDeserialize),
    response: codecOf(method.responseSerialize, method.responseDeserialize),
    isIdempotent: level === 'NO_SIDE_EFFECTS' || level === 'IDEMPOTENT',
  }
}

function kindOf({ requestStream, responseStream }: DefinedMethod): MethodKind {
  if (requestStream) return responseStream ? 'bidi-streaming' : 'client-streaming'
  return responseStream ? 'server-streaming' : 'unary'
}

function codecOf(serialize: (value: unknown) => Uint8Array, deserialize: (bytes: Buffer) => unknown): Codec<unknown> {
  return {
    encode: serialize,
    decode: (bytes) => deserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
  }
}
