// HTTP/2 frames and the few protobuf messages these tests need, encoded here and not with the product's own code.

export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const ErrorCode = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const

export function frame(type: number, flags: number, id: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 255]), uint32(value)]))
  return frame(Type.settings, 0, 0, Buffer.concat(payload))
}

/** Preface and SETTINGS. Setting 4 is the window for responses. */
export function greeting(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  return Buffer.concat([preface, settings(...pairs)])
}

function literalString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  return Buffer.concat([Buffer.from([127]), varint(bytes.length - 127), bytes])
}

/** A header block of literals that touch no table. */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literalString(name), literalString(value)]))
}

export function grpcFields(path: string): (readonly [string, string])[] {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'test'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ]
}

/** HEADERS with END_HEADERS. */
export function headers(id: number, fields: readonly (readonly [string, string])[], ends = false): Buffer {
  return frame(Type.headers, ends ? 5 : 4, id, block(fields))
}

export function data(id: number, payload: Uint8Array, ends = false): Buffer {
  return frame(Type.data, ends ? 1 : 0, id, payload)
}

/** A gRPC message, cut into DATA frames. */
export function grpcMessage(id: number, message: Uint8Array, ends = true): Buffer {
  const body = envelope(message)
  const frames: Buffer[] = []
  for (let at = 0; at < body.length; at += 16_384) {
    frames.push(data(id, body.subarray(at, at + 16_384), ends && at + 16_384 >= body.length))
  }
  return Buffer.concat(frames)
}

export function envelope(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([0]), uint32(message.length), message])
}

/** A whole unary request in two frames or more. */
export function unary(id: number, path: string, message: Uint8Array): Buffer {
  return Buffer.concat([headers(id, grpcFields(path)), grpcMessage(id, message)])
}

export function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  bytes.push(rest)
  return Buffer.from(bytes)
}

/** Protobuf fields: bytes for a buffer or a text, a varint for a number. */
export function message(...fields: readonly (readonly [field: number, value: Uint8Array | string | number])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([field, value]) => {
      if (typeof value === 'number') return [varint(field << 3), varint(value)]
      const bytes = typeof value === 'string' ? Buffer.from(value) : value
      return [varint((field << 3) | 2), varint(bytes.length), bytes]
    }),
  )
}

export const kv = {
  put: '/etcdserverpb.KV/Put',
  range: '/etcdserverpb.KV/Range',
  putRequest: (key: string, value: Uint8Array | string) => message([1, key], [2, value]),
  rangeRequest: (key: string, end?: string) => (end === undefined ? message([1, key]) : message([1, key], [2, end])),
}

export const watchPath = '/etcdserverpb.Watch/Watch'
export function watchCreate(key: string, startRevision = 0): Buffer {
  return message([1, message([1, key], ...(startRevision === 0 ? [] : [[3, startRevision] as const]))])
}
