/**
 * What stands before the struct of a message: the method's name, the message's type, and the number by which a reply
 * finds its call.
 *
 *     binary, strict:  0x8001 0x00 type:1  nameLength:4 name  sequence:4
 *     compact:         0x82  (type:3 version:5)  sequence:varint  nameLength:varint name
 */
import { utf8Bytes } from '../../base/index.ts'
import type { ThriftProtocolName } from './protocols.ts'
import { ThriftSyntaxError } from './struct-walk.ts'

export const MessageType = { call: 1, reply: 2, exception: 3, oneway: 4 } as const
export type MessageType = (typeof MessageType)[keyof typeof MessageType]

export interface Envelope {
  readonly protocol: ThriftProtocolName
  readonly name: string
  readonly type: MessageType
  readonly sequence: number
  /** Where the struct begins. */
  readonly structStart: number
}

const compactId = 0x82
const compactVersion = 1
const nameBytesMax = 1 << 10

/** Reads the envelope at `start`, of whichever protocol; undefined when more bytes are needed. Throws a {@link ThriftSyntaxError}. */
export function readEnvelope(bytes: Buffer, start: number): Envelope | undefined {
  if (bytes.length - start < 1) return undefined
  const first = bytes[start]!
  if (first === 0x80) return readBinary(bytes, start)
  if (first === compactId) return readCompact(bytes, start)
  throw new ThriftSyntaxError(
    `a message begins with byte 0x${first.toString(16)}: it is neither strict binary (0x80) nor compact (0x82)`,
  )
}

function readBinary(bytes: Buffer, start: number): Envelope | undefined {
  if (bytes.length - start < 8) return undefined
  if (bytes[start + 1] !== 1)
    throw new ThriftSyntaxError(`version ${bytes[start + 1]} of the binary protocol is unknown`)
  const nameLength = checkedNameLength(bytes.readUInt32BE(start + 4))
  const nameEnd = start + 8 + nameLength
  if (bytes.length < nameEnd + 4) return undefined
  return {
    protocol: 'binary',
    name: bytes.toString('utf8', start + 8, nameEnd),
    type: typeOf(bytes[start + 3]!),
    sequence: bytes.readInt32BE(nameEnd),
    structStart: nameEnd + 4,
  }
}

function readCompact(bytes: Buffer, start: number): Envelope | undefined {
  if (bytes.length - start < 2) return undefined
  const head = bytes[start + 1]!
  if ((head & 0x1f) !== compactVersion)
    throw new ThriftSyntaxError(`version ${head & 0x1f} of the compact protocol is unknown`)
  const sequence = readVarint(bytes, start + 2)
  if (sequence === undefined) return undefined
  const length = readVarint(bytes, sequence.end)
  if (length === undefined) return undefined
  const nameEnd = length.end + checkedNameLength(length.value)
  if (bytes.length < nameEnd) return undefined
  return {
    protocol: 'compact',
    name: bytes.toString('utf8', length.end, nameEnd),
    type: typeOf(head >> 5),
    sequence: sequence.value | 0,
    structStart: nameEnd,
  }
}

function readVarint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0
  for (let read = 0; read < 5; read++) {
    const byte = bytes[start + read]
    if (byte === undefined) return undefined
    value += (byte & 0x7f) * 2 ** (7 * read)
    if (byte < 0x80) return { value, end: start + read + 1 }
  }
  throw new ThriftSyntaxError('a number of the envelope takes more than 5 bytes')
}

function typeOf(type: number): MessageType {
  if (type >= MessageType.call && type <= MessageType.oneway) return type as MessageType
  throw new ThriftSyntaxError(`there is no message type ${type}`)
}

function checkedNameLength(length: number): number {
  if (length <= nameBytesMax) return length
  throw new ThriftSyntaxError(`a method's name of ${length} bytes is longer than ${nameBytesMax}`)
}

/** A whole message: envelope and `struct`; with `framed` behind its length. */
export function writeMessage(
  protocol: ThriftProtocolName,
  message: { readonly name: string; readonly type: MessageType; readonly sequence: number },
  struct: Uint8Array,
  framed: boolean,
): Buffer {
  const head = protocol === 'binary' ? binaryHead(message) : compactHead(message)
  const length = head.length + struct.length
  if (!framed) return Buffer.concat([head, struct], length)
  const prefix = Buffer.allocUnsafe(4)
  prefix.writeUInt32BE(length, 0)
  return Buffer.concat([prefix, head, struct], length + 4)
}

function binaryHead({ name, type, sequence }: { name: string; type: MessageType; sequence: number }): Buffer {
  const text = utf8Bytes(name)
  const head = Buffer.allocUnsafe(12 + text.length)
  head.writeUInt32BE(0x80010000 + type, 0)
  head.writeUInt32BE(text.length, 4)
  head.set(text, 8)
  head.writeInt32BE(sequence, 8 + text.length)
  return head
}

function compactHead({ name, type, sequence }: { name: string; type: MessageType; sequence: number }): Buffer {
  const text = utf8Bytes(name)
  const out = [compactId, compactVersion | (type << 5)]
  putVarint(out, sequence >>> 0)
  putVarint(out, text.length)
  return Buffer.concat([Uint8Array.from(out), text])
}

function putVarint(out: number[], value: number): void {
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out.push((rest & 0x7f) | 0x80)
  out.push(rest)
}
