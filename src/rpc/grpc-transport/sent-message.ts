import { gzipSync } from 'node:zlib'
import { messagePrefix } from '../../wire/grpc/index.ts'

/** Shorter ones gain nothing. */
const compressedBytesMin = 1_024

/** A message with its prefix, as it is sent. Compressed where that is agreed on and makes it shorter. */
export function sentMessage(message: Uint8Array, isGzip: boolean): readonly [Uint8Array, Uint8Array] {
  if (isGzip && message.length >= compressedBytesMin) {
    const zipped = gzipSync(message)
    if (zipped.length < message.length) return [messagePrefix(zipped.length, true), zipped]
  }
  return [messagePrefix(message.length), message]
}
