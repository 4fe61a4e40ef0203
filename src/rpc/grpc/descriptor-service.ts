/** Services of protoc-gen-es (version 2), by their descriptors. */
import type { DescFile, DescMessage, DescMethod, DescService, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { Codec, Method, MethodKind, Service } from '../service/index.ts'
import { protobufRuntime } from './protobuf-runtime.ts'

/** What of a descriptor is read; its generated type names each method. */
export type ServiceDescriptor = Omit<DescService, 'method'> & { readonly method: object }

interface KindOfDescriptor {
  readonly unary: 'unary'
  readonly server_streaming: 'server-streaming'
  readonly client_streaming: 'client-streaming'
  readonly bidi_streaming: 'bidi-streaming'
}

const kindOf: KindOfDescriptor = {
  unary: 'unary',
  server_streaming: 'server-streaming',
  client_streaming: 'client-streaming',
  bidi_streaming: 'bidi-streaming',
}

/** The methods of a descriptor, with the types of its messages. */
export type DescriptorMethods<Descriptor extends ServiceDescriptor> = {
  readonly [Name in keyof Descriptor['method']]: MethodOf<Descriptor['method'][Name]>
}

type MethodOf<M> = M extends {
  readonly input: infer Input extends DescMessage
  readonly output: infer Output extends DescMessage
  readonly methodKind: infer Kind extends keyof KindOfDescriptor
}
  ? Method<
      MessageShape<Input>,
      MessageShape<Output>,
      KindOfDescriptor[Kind],
      MessageInitShape<Input>,
      MessageInitShape<Output>
    >
  : never

/** `google.protobuf.MethodOptions.IdempotencyLevel` of a method that says nothing. */
const idempotencyUnknown = 0

export function serviceOfDescriptor<Descriptor extends ServiceDescriptor>(
  descriptor: Descriptor,
): Service<DescriptorMethods<Descriptor>> {
  const methods: Record<string, Method> = {}
  for (const method of descriptor.methods) methods[method.localName] = methodOf(method)
  return {
    name: descriptor.typeName,
    methods: methods as unknown as DescriptorMethods<Descriptor>,
    encoding: 'proto',
    get files() {
      return filesOf(descriptor.file)
    },
  }
}

function methodOf(method: DescMethod): Method {
  const kind: MethodKind = kindOf[method.methodKind]
  return {
    name: method.name,
    kind,
    request: codecOf(method.input),
    response: codecOf(method.output),
    isIdempotent: method.idempotency !== idempotencyUnknown,
  }
}

function codecOf(schema: DescMessage): Codec<unknown> {
  const { create, toBinary, fromBinary } = protobufRuntime()
  return {
    // `create` gives back what is a message already.
    encode: (message) => toBinary(schema, create(schema, message as MessageInitShape<DescMessage>)),
    decode: (bytes) => fromBinary(schema, bytes),
  }
}

/** Kept by file, so that services of one file have the same bytes. */
const serialized = new WeakMap<DescFile, Uint8Array>()

/** The file and all that it imports, serialized. */
function filesOf(file: DescFile): Uint8Array[] {
  const found = new Set([file])
  for (const one of found) for (const dependency of one.dependencies) found.add(dependency)
  return [...found].map((one) => {
    const { toBinary, FileDescriptorProtoSchema } = protobufRuntime()
    const bytes = serialized.get(one) ?? toBinary(FileDescriptorProtoSchema, one.proto)
    serialized.set(one, bytes)
    return bytes
  })
}
