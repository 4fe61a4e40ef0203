export { assert, assertDefined, InvariantError, unreachable } from './assert.ts'
export {
  asBuffer,
  type BinaryString,
  binaryString,
  binaryStringToBytes,
  compareBytes,
  concatBytes,
  emptyBytes,
  equalBytes,
  utf8Bytes,
} from './bytes.ts'
export { crc32c } from './crc32c.ts'
export { PieceGatherer } from './piece-gatherer.ts'
export { Prng } from './prng.ts'
export { bytesTag, ProtobufReader, varintTag } from './protobuf.ts'
export {
  bytesFieldSize,
  int64FieldSize,
  intFieldSize,
  ProtobufWriter,
  putBytesHead,
  putInt64Field,
  putIntField,
  putVarint,
  putVarint64,
  varint64Size,
  varintSize,
} from './protobuf-writer.ts'
