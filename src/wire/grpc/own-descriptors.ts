/**
 * The descriptions of gRPC's own services, for reflection: serialized `google.protobuf.FileDescriptorProto`s (protobuf
 * src/google/protobuf/descriptor.proto) of grpc/grpc-proto's grpc/health/v1/health.proto, grpc/reflection/v1/reflection.proto
 * and grpc/reflection/v1alpha/reflection.proto.
 *
 *     FileDescriptorProto    { name 1, package 2, message_type 4*, service 6*, syntax 12 }
 *     DescriptorProto        { name 1, field 2*, nested_type 3*, enum_type 4*, oneof_decl 8* { name 1 } }
 *     FieldDescriptorProto   { name 1, number 3, label 4, type 5, type_name 6, oneof_index 9, json_name 10 }
 *     EnumDescriptorProto    { name 1, value 2* { name 1, number 2 } }
 *     ServiceDescriptorProto { name 1, method 2* { name 1, input_type 2, output_type 3, client_streaming 5, server_streaming 6 } }
 */
import { ProtobufWriter } from '../../base/index.ts'

/** `FieldDescriptorProto.Type`. */
const fieldTypes = { string: 9, bytes: 12, int32: 5, message: 11, enum: 14 } as const

/** `name number type`; a message's type by its name with a dot before it, an enum's after `enum `. */
interface FieldText {
  readonly name: string
  readonly number: number
  readonly type: string
  readonly isRepeated?: boolean
  readonly isInOneof?: boolean
}

interface MessageText {
  readonly name: string
  readonly fields: readonly FieldText[]
  readonly oneof?: string
  readonly enumeration?: { readonly name: string; readonly values: readonly string[] }
}

interface MethodText {
  readonly name: string
  readonly input: string
  readonly output: string
  readonly streamsInput: boolean
  readonly streamsOutput: boolean
}

interface FileText {
  readonly name: string
  readonly package: string
  readonly messages: readonly MessageText[]
  readonly service: { readonly name: string; readonly methods: readonly MethodText[] }
}

const health: FileText = {
  name: 'grpc/health/v1/health.proto',
  package: 'grpc.health.v1',
  messages: [
    { name: 'HealthCheckRequest', fields: [{ name: 'service', number: 1, type: 'string' }] },
    {
      name: 'HealthCheckResponse',
      fields: [{ name: 'status', number: 1, type: 'enum .grpc.health.v1.HealthCheckResponse.ServingStatus' }],
      enumeration: { name: 'ServingStatus', values: ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] },
    },
  ],
  service: {
    name: 'Health',
    methods: [
      method('Check', '.grpc.health.v1.HealthCheckRequest', '.grpc.health.v1.HealthCheckResponse', false, false),
      method('Watch', '.grpc.health.v1.HealthCheckRequest', '.grpc.health.v1.HealthCheckResponse', false, true),
    ],
  },
}

function reflection(version: 'v1' | 'v1alpha'): FileText {
  const own = `grpc.reflection.${version}`
  const of = (name: string): string => `.${own}.${name}`
  const choice = (name: string, number: number, type: string): FieldText => ({ name, number, type, isInOneof: true })
  return {
    name: `grpc/reflection/${version}/reflection.proto`,
    package: own,
    messages: [
      {
        name: 'ServerReflectionRequest',
        oneof: 'message_request',
        fields: [
          { name: 'host', number: 1, type: 'string' },
          choice('file_by_filename', 3, 'string'),
          choice('file_containing_symbol', 4, 'string'),
          choice('file_containing_extension', 5, of('ExtensionRequest')),
          choice('all_extension_numbers_of_type', 6, 'string'),
          choice('list_services', 7, 'string'),
        ],
      },
      {
        name: 'ExtensionRequest',
        fields: [
          { name: 'containing_type', number: 1, type: 'string' },
          { name: 'extension_number', number: 2, type: 'int32' },
        ],
      },
      {
        name: 'ServerReflectionResponse',
        oneof: 'message_response',
        fields: [
          { name: 'valid_host', number: 1, type: 'string' },
          { name: 'original_request', number: 2, type: of('ServerReflectionRequest') },
          choice('file_descriptor_response', 4, of('FileDescriptorResponse')),
          choice('all_extension_numbers_response', 5, of('ExtensionNumberResponse')),
          choice('list_services_response', 6, of('ListServiceResponse')),
          choice('error_response', 7, of('ErrorResponse')),
        ],
      },
      {
        name: 'FileDescriptorResponse',
        fields: [{ name: 'file_descriptor_proto', number: 1, type: 'bytes', isRepeated: true }],
      },
      {
        name: 'ExtensionNumberResponse',
        fields: [
          { name: 'base_type_name', number: 1, type: 'string' },
          { name: 'extension_number', number: 2, type: 'int32', isRepeated: true },
        ],
      },
      {
        name: 'ListServiceResponse',
        fields: [{ name: 'service', number: 1, type: of('ServiceResponse'), isRepeated: true }],
      },
      { name: 'ServiceResponse', fields: [{ name: 'name', number: 1, type: 'string' }] },
      {
        name: 'ErrorResponse',
        fields: [
          { name: 'error_code', number: 1, type: 'int32' },
          { name: 'error_message', number: 2, type: 'string' },
        ],
      },
    ],
    service: {
      name: 'ServerReflection',
      methods: [
        method('ServerReflectionInfo', of('ServerReflectionRequest'), of('ServerReflectionResponse'), true, true),
      ],
    },
  }
}

function method(
  name: string,
  input: string,
  output: string,
  streamsInput: boolean,
  streamsOutput: boolean,
): MethodText {
  return { name, input, output, streamsInput, streamsOutput }
}

/** The files of gRPC's own services, and the services' full names. */
export function ownDescriptors(): { readonly files: readonly Uint8Array[]; readonly services: readonly string[] } {
  const files = [health, reflection('v1'), reflection('v1alpha')]
  return {
    files: files.map(writeFile),
    services: files.map((file) => `${file.package}.${file.service.name}`),
  }
}

function writeFile({ name, package: own, messages, service }: FileText): Uint8Array {
  const writer = new ProtobufWriter(1024).text(1, name).text(2, own)
  for (const message of messages) writer.message(4, (to) => writeMessage(to, message))
  writer.message(6, (to) => {
    to.text(1, service.name)
    for (const one of service.methods) to.message(2, (inner) => writeMethod(inner, one))
  })
  return writer.text(12, 'proto3').finish()
}

function writeMessage(to: ProtobufWriter, { name, fields, oneof, enumeration }: MessageText): void {
  to.text(1, name)
  for (const field of fields) to.message(2, (inner) => writeField(inner, field))
  if (enumeration !== undefined) {
    to.message(4, (inner) => {
      inner.text(1, enumeration.name)
      enumeration.values.forEach((value, number) => {
        inner.message(2, (one) => one.text(1, value).presentInt(2, number))
      })
    })
  }
  if (oneof !== undefined) to.message(8, (inner) => inner.text(1, oneof))
}

function writeField(
  to: ProtobufWriter,
  { name, number, type, isRepeated = false, isInOneof = false }: FieldText,
): void {
  const isEnum = type.startsWith('enum ')
  const isMessage = type.startsWith('.')
  const kind = isEnum ? 'enum' : isMessage ? 'message' : (type as keyof typeof fieldTypes)
  const optional = 1
  const repeated = 3
  to.text(1, name)
    .int(3, number)
    .int(4, isRepeated ? repeated : optional)
    .int(5, fieldTypes[kind])
  if (isEnum || isMessage) to.text(6, isEnum ? type.slice('enum '.length) : type)
  if (isInOneof) to.presentInt(9, 0)
  to.text(
    10,
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
  )
}

function writeMethod(to: ProtobufWriter, { name, input, output, streamsInput, streamsOutput }: MethodText): void {
  to.text(1, name).text(2, input).text(3, output)
  if (streamsInput) to.int(5, 1)
  if (streamsOutput) to.int(6, 1)
}
