/**
 * What an error says to programs, as every gRPC implementation carries it: the trailer `grpc-status-details-bin` is a
 * serialized
 *
 *     google.rpc.Status    { int32 code = 1  string message = 2  repeated google.protobuf.Any details = 3 }
 *     google.protobuf.Any  { string type_url = 1  bytes value = 2 }
 *
 * (googleapis google/rpc/status.proto).
 */
import { bytesTag, ProtobufReader, ProtobufWriter } from '../../base/index.ts'

/** One detail: a message of a named type. */
export interface ErrorDetail {
  /** Such as `type.googleapis.com/google.rpc.ErrorInfo`. */
  readonly typeUrl: string
  readonly value: Uint8Array
}

/** Details of one error; more are dropped by a reader. */
const detailsMax = 64

export function encodeErrorDetails(code: number, message: string, details: readonly ErrorDetail[]): Uint8Array {
  const writer = new ProtobufWriter(128).int(1, code).text(2, message)
  for (const { typeUrl, value } of details) {
    writer.message(3, (detail) => detail.text(1, typeUrl).presentBytes(2, value))
  }
  return writer.finish()
}

/** The details; none when the bytes are no such message. */
export function decodeErrorDetails(bytes: Uint8Array): ErrorDetail[] {
  const reader = new ProtobufReader(bytes)
  const details: ErrorDetail[] = []
  while (reader.next()) {
    if (reader.tag !== bytesTag(3) || details.length >= detailsMax) reader.skip()
    else details.push(readDetail(reader))
  }
  return reader.malformed ? [] : details
}

function readDetail(reader: ProtobufReader): ErrorDetail {
  let typeUrl = ''
  let value: Uint8Array = new Uint8Array(0)
  const outerEnd = reader.enter()
  while (reader.next()) {
    if (reader.tag === bytesTag(1)) {
      reader.bytes()
      typeUrl = reader.text()
    } else if (reader.tag === bytesTag(2)) {
      reader.bytes()
      value = Uint8Array.from(reader.view())
    } else {
      reader.skip()
    }
  }
  reader.leave(outerEnd)
  return { typeUrl, value }
}
