// Prepared requests: a HEADERS frame and a DATA frame that differ from one request to the next only in the stream id
// and the key. The first request of a connection puts its headers into the server's table; later ones name them by
// index, as gRPC clients do.

export const frameHeaderBytes = 9
export const keyBytes = 11
export const valueBytes = 256

export type Workload = 'put' | 'range'

const paths: Readonly<Record<Workload | 'txn', string>> = {
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  txn: '/etcdserverpb.KV/Txn',
}

/** The key with this number, at its fixed width. */
export function keyText(at: number): string {
  return `key${String(at).padStart(keyBytes - 3, '0')}`
}

/** Writes the digits of a key's number over a prepared key. */
export function writeKey(target: Uint8Array, offset: number, at: number): void {
  let rest = at
  for (let digit = offset + keyBytes - 1; digit >= offset + 3; digit--) {
    target[digit] = 48 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
}

/** A request with the places that change. */
export interface Template {
  readonly bytes: Buffer
  /** Offsets of the stream ids of both frames. */
  readonly headersStreamAt: number
  readonly dataStreamAt: number
  readonly keyAt: number
  /** Bytes that count against flow control. */
  readonly flowBytes: number
}

/** The first request of a connection, whose headers enter the server's table, and the one for all others. */
export function templates(workload: Workload, authority: string): { first: Template; next: Template } {
  const message = workload === 'put' ? putMessage(keyText(0), value()) : rangeMessage(keyText(0))
  return {
    first: template(headerBlock(paths[workload], authority), message),
    next: template(indexedBlock, message),
  }
}

/** A transaction that puts `count` keys from `from` on: how the preload writes many at once. */
export function preloadRequest(authority: string, from: number, count: number, isFirst: boolean): Template {
  const operations: Buffer[] = []
  for (let at = from; at < from + count; at++) {
    operations.push(field(2, field(2, putMessage(keyText(at), value()))))
  }
  return template(isFirst ? headerBlock(paths.txn, authority) : indexedBlock, Buffer.concat(operations))
}

function template(block: Buffer, message: Buffer): Template {
  const data = Buffer.concat([Buffer.from([0, 0, 0, 0, 0]), message])
  data.writeUInt32BE(message.length, 1)
  const headersFrame = frame(1, 0x4, block)
  const bytes = Buffer.concat([headersFrame, frame(0, 0x1, data)])
  return {
    bytes,
    headersStreamAt: 5,
    dataStreamAt: headersFrame.length + 5,
    keyAt: bytes.indexOf(keyText(0)),
    flowBytes: data.length,
  }
}

/** `length(24) type(8) flags(8) stream(32) payload` (RFC 9113 §4.1), with stream 0. */
export function frame(type: number, flags: number, payload: Uint8Array): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.set(payload, frameHeaderBytes)
  return bytes
}

// :method POST and :scheme http from the static table; then literals with indexing: :path, :authority,
// content-type, te. They become 65, 64, 63 and 62 of the table.
function headerBlock(path: string, authority: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x83, 0x86, 0x44]),
    text(path),
    Buffer.from([0x41]),
    text(authority),
    Buffer.from([0x5f]),
    text('application/grpc'),
    Buffer.from([0x40]),
    text('te'),
    text('trailers'),
  ])
}
const indexedBlock = Buffer.from([0x83, 0x86, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62])

/** A string of less than 127 bytes, not in Huffman's code. */
function text(value: string): Buffer {
  return Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
}

function putMessage(key: string, bytes: Buffer): Buffer {
  return Buffer.concat([field(1, Buffer.from(key)), field(2, bytes)])
}

function rangeMessage(key: string): Buffer {
  return field(1, Buffer.from(key))
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** Bytes that do not compress, the same in every run. */
function value(): Buffer {
  const bytes = Buffer.alloc(valueBytes)
  let state = 0x9e3779b9
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}
