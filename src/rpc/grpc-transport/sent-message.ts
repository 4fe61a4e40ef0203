import { gzipSync } from 'node:zlib'
import { messagePrefix } from '../../wire/grpc/index.ts'
import { compressionChoice } from '../service/index.ts'

/** Shorter messages gain nothing. */
export const compressFromBytesDefault = 1_024

/** How the messages of one side are compressed. */
export interface MessageCompression {
  /** Default: none are. */
  readonly compression?: 'gzip' | undefined
  /**
   * Messages of so many bytes and more are compressed where that makes them shorter. `compressed` and `uncompressed` say
   * otherwise of one message; with `Infinity` only what `compressed` was said of is. Default 1,024.
   */
  readonly compressFromBytes?: number | undefined
}

/** From which length on messages are compressed that nothing was said of; undefined: none can be. */
export function gzipFromBytes({ compression, compressFromBytes }: MessageCompression): number | undefined {
  return compression === 'gzip' ? (compressFromBytes ?? compressFromBytesDefault) : undefined
}

/**
 * A message with its prefix, as it is sent (grpc/grpc doc/compression.md: each message has its own compressed flag).
 * `fromBytes`: see `gzipFromBytes`.
 */
export function sentMessage(message: Uint8Array, fromBytes: number | undefined): readonly [Uint8Array, Uint8Array] {
  if (fromBytes !== undefined) {
    const choice = compressionChoice(message)
    if (choice ?? message.length >= fromBytes) {
      const zipped = gzipSync(message)
      if (choice === true || zipped.length < message.length) return [messagePrefix(zipped.length, true), zipped]
    }
  }
  return [messagePrefix(message.length), message]
}
