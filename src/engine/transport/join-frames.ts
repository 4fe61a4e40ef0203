/**
 * What a node that is about to join asks over the peer port, before it has an identity to greet with: one question, one
 * answer, close.
 *
 * ```
 * question = "SYNODJ" version:u16 zeros:32 bytes crc32c:u32      as long as a hello, so that either can be read first
 * answer   = "SYNODJ" version:u16 length:u32 crc32c:u32 body     crc of the body; a refusal (`frames.ts`) may come instead
 * ```
 *
 * And what a member says, in place of its next hello, to one that refused it as unknown:
 *
 * ```
 * introduction = "SYNODI" version:u16 length:u32 crc32c:u32 body      at least as long as a hello
 * ```
 *
 * All integers are little-endian. What a body says is its owner's affair; both are the same: who the members are.
 */
import { asBuffer, assert, crc32c, utf8Bytes } from '../../base/index.ts'
import { helloBytes } from './frames.ts'

/** A longer answer is refused as damage. */
export const joinAnswerBytesMax = 1024 * 1024
const answerHeaderBytes = 16
const magic = utf8Bytes('SYNODJ')
const introductionMagic = utf8Bytes('SYNODI')
const joinVersion = 1

export function encodeJoinQuestion(): Uint8Array {
  const bytes = Buffer.alloc(helloBytes)
  bytes.set(magic, 0)
  bytes.writeUInt16LE(joinVersion, 6)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, helloBytes - 4)), helloBytes - 4)
  return bytes
}

/** `other`: something else, a hello perhaps. A sentence says what is wrong with a question. */
export function readJoinQuestion(bytes: Uint8Array): 'question' | 'other' | { readonly problem: string } {
  const buffer = asBuffer(bytes)
  if (Buffer.compare(buffer.subarray(0, magic.length), magic) !== 0) return 'other'
  const version = buffer.readUInt16LE(6)
  if (version !== joinVersion)
    return { problem: `joining by version ${version} is not known here (this node knows ${joinVersion})` }
  if (crc32c(buffer.subarray(0, helloBytes - 4)) !== buffer.readUInt32LE(helloBytes - 4))
    return { problem: 'the question is damaged' }
  return 'question'
}

export function encodeJoinAnswer(body: Uint8Array): Uint8Array {
  return encodeBody(magic, body)
}

/** `body` must make it as long as a hello. */
export function encodeIntroduction(body: Uint8Array): Uint8Array {
  assert(answerHeaderBytes + body.length >= helloBytes, 'an introduction says something')
  return encodeBody(introductionMagic, body)
}

/** Whether these first bytes of a connection begin an introduction. */
export function isIntroduction(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes.subarray(0, introductionMagic.length), introductionMagic) === 0
}

function encodeBody(start: Uint8Array, body: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(answerHeaderBytes + body.length)
  bytes.set(start, 0)
  bytes.writeUInt16LE(joinVersion, 6)
  bytes.writeUInt32LE(body.length, 8)
  bytes.writeUInt32LE(crc32c(body), 12)
  bytes.set(body, answerHeaderBytes)
  return bytes
}

/** `more`: not all of it is here. A sentence says why it is no answer. */
export function readJoinAnswer(bytes: Uint8Array): ReadBody {
  return readBody(magic, bytes)
}

/** As {@link readJoinAnswer}. */
export function readIntroduction(bytes: Uint8Array): ReadBody {
  return readBody(introductionMagic, bytes)
}

type ReadBody = { readonly body: Uint8Array } | 'more' | { readonly problem: string }

function readBody(expected: Uint8Array, bytes: Uint8Array): ReadBody {
  const buffer = asBuffer(bytes)
  const start = buffer.subarray(0, expected.length)
  if (Buffer.compare(start, expected.subarray(0, start.length)) !== 0) return { problem: 'it is not an answer' }
  if (buffer.length < answerHeaderBytes) return 'more'
  const version = buffer.readUInt16LE(6)
  if (version !== joinVersion)
    return { problem: `it answers by version ${version}, and this node knows ${joinVersion}` }
  const length = buffer.readUInt32LE(8)
  if (length > joinAnswerBytesMax) return { problem: `an answer of ${length} bytes is over the limit` }
  if (buffer.length < answerHeaderBytes + length) return 'more'
  const body = buffer.subarray(answerHeaderBytes, answerHeaderBytes + length)
  return crc32c(body) === buffer.readUInt32LE(12) ? { body } : { problem: 'the answer is damaged' }
}
