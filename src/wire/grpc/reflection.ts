/**
 * Server reflection (grpc/grpc-proto grpc/reflection/v1/reflection.proto), also under its older name v1alpha, whose
 * messages are the same.
 *
 *     ServerReflectionRequest { host 1, oneof { file_by_filename 3, file_containing_symbol 4,
 *       file_containing_extension 5 { containing_type 1, extension_number 2 }, all_extension_numbers_of_type 6,
 *       list_services 7 } }
 *     ServerReflectionResponse { valid_host 1, original_request 2, oneof { file_descriptor_response 4
 *       { file_descriptor_proto 1* }, all_extension_numbers_response 5 { base_type_name 1, extension_number 2* },
 *       list_services_response 6 { service 1* { name 1 } }, error_response 7 { error_code 1, error_message 2 } } }
 */
import { bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { type DescriptorFile, DescriptorIndex } from './descriptor-index.ts'
import { type GrpcRoutes, streaming } from './method.ts'
import { GrpcStatusCode } from './status.ts'
import type { StreamCall } from './stream-call.ts'

/** What reflection tells about. */
export interface ReflectionInit {
  /** Serialized FileDescriptorProtos: the served files and all that they import. */
  readonly files: readonly Uint8Array[]
  /** Full names of the services served. Default: every service that the files declare. */
  readonly services?: readonly string[]
}

/** The routes of `grpc.reflection.v1.ServerReflection` and of v1alpha. */
export function reflectionRoutes(init: ReflectionInit): GrpcRoutes {
  const index = new DescriptorIndex(init.files)
  const services = [...(init.services ?? index.services())].sort()
  const method = streaming((call) => reflect(call, index, services))
  return {
    '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo': method,
    '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo': method,
  }
}

type Query =
  | { readonly kind: 'file' | 'symbol' | 'extension-numbers'; readonly name: string }
  | { readonly kind: 'extension'; readonly name: string; readonly number: number }
  | { readonly kind: 'services' | 'none' }

function reflect(call: StreamCall, index: DescriptorIndex, services: readonly string[]): void {
  /** Files this stream has already sent; as grpc-go does, they are not sent again as an import. */
  const sent = new Set<string>()
  call.onMessage((message) => {
    const request = readRequest(message)
    if (request === undefined) {
      call.fail(GrpcStatusCode.internal, 'grpc: error unmarshalling request')
      return
    }
    if (request.query.kind === 'none') {
      call.fail(GrpcStatusCode.invalidArgument, 'invalid MessageRequest')
      return
    }
    const writer = new ProtobufWriter(1024).text(1, request.host).presentBytes(2, message)
    answer(writer, request.query, index, services, sent)
    if (!call.send(writer.finish())) call.pause()
  })
  call.onDrain(() => call.resume())
  call.onHalfClose(() => call.end())
}

function answer(
  writer: ProtobufWriter,
  query: Query,
  index: DescriptorIndex,
  services: readonly string[],
  sent: Set<string>,
): void {
  switch (query.kind) {
    case 'file':
      writeFile(writer, index.file(query.name), index, sent)
      break
    case 'symbol':
      writeFile(writer, index.fileOfSymbol(query.name), index, sent)
      break
    case 'extension':
      writeFile(writer, index.extensionsOf(query.name)?.get(query.number), index, sent)
      break
    case 'extension-numbers':
      writeExtensionNumbers(writer, query.name, index)
      break
    default:
      writer.message(6, (list) => {
        for (const service of services) list.message(1, (one) => one.text(1, service))
      })
  }
}

function writeFile(
  writer: ProtobufWriter,
  file: DescriptorFile | undefined,
  index: DescriptorIndex,
  sent: Set<string>,
): void {
  if (file === undefined) {
    writeNotFound(writer)
    return
  }
  // The file asked for is sent even when it was sent before.
  const files = index.closure(file).filter((one) => one === file || !sent.has(one.name))
  writer.message(4, (response) => {
    for (const one of files) {
      sent.add(one.name)
      response.presentBytes(1, one.bytes)
    }
  })
}

function writeExtensionNumbers(writer: ProtobufWriter, type: string, index: DescriptorIndex): void {
  if (!index.hasType(type)) {
    writeNotFound(writer)
    return
  }
  const numbers = [...(index.extensionsOf(type)?.keys() ?? [])].sort((a, b) => a - b)
  writer.message(5, (response) => {
    response.text(1, type)
    for (const number of numbers) response.presentInt(2, number)
  })
}

function writeNotFound(writer: ProtobufWriter): void {
  writer.message(7, (error) => error.int(1, GrpcStatusCode.notFound).text(2, 'proto: not found'))
}

function readRequest(message: Uint8Array): { readonly host: string; readonly query: Query } | undefined {
  const reader = new ProtobufReader(message)
  let host = ''
  let query: Query = { kind: 'none' }
  while (reader.next()) {
    switch (reader.tag) {
      case bytesTag(1):
        host = readText(reader)
        break
      case bytesTag(3):
        query = { kind: 'file', name: readText(reader) }
        break
      case bytesTag(4):
        query = { kind: 'symbol', name: readText(reader) }
        break
      case bytesTag(5):
        query = readExtension(reader)
        break
      case bytesTag(6):
        query = { kind: 'extension-numbers', name: readText(reader) }
        break
      case bytesTag(7):
        reader.bytes()
        query = { kind: 'services' }
        break
      default:
        reader.skip()
    }
  }
  return reader.malformed ? undefined : { host, query }
}

function readExtension(reader: ProtobufReader): Query {
  let name = ''
  let number = 0
  const outerEnd = reader.enter()
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) name = readText(reader)
    else if (reader.tag === varintTag(2)) number = reader.int32()
    else reader.skip()
  }
  reader.leave(outerEnd)
  return { kind: 'extension', name, number }
}

function readText(reader: ProtobufReader): string {
  reader.bytes()
  return reader.text()
}
