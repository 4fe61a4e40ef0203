// Peers that break the protocols on the client port: each gets the protocol's own error or a closed connection.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from '../cluster.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { underAttack } from './attack.ts'
import {
  block,
  data,
  ErrorCode,
  envelope,
  frame,
  greeting,
  grpcFields,
  grpcMessage,
  headers,
  kv,
  settings,
  Type,
  uint32,
  unary,
} from './frames.ts'
import { openMany, RawPeer } from './raw-peer.ts'

const none = Buffer.alloc(0)
const open = headers(1, grpcFields(kv.put))

/** What to send after the greeting, and the code of the GOAWAY that must answer it. */
const malformed: Readonly<Record<string, readonly [sent: Buffer, goAway: number]>> = {
  'a frame longer than announced': [frame(Type.data, 0, 1, Buffer.alloc(16_385)), ErrorCode.frameSize],
  'the header of a frame of 16 MB': [Buffer.from([255, 255, 255, 0, 0, 0, 0, 0, 1]), ErrorCode.frameSize],
  'DATA on stream 0': [data(0, none), ErrorCode.protocol],
  'DATA on an idle stream': [data(7, none), ErrorCode.protocol],
  'padding longer than its frame': [
    Buffer.concat([open, frame(Type.data, 8, 1, Buffer.from([200, 0]))]),
    ErrorCode.protocol,
  ],
  'HEADERS on an even stream': [headers(2, grpcFields(kv.put)), ErrorCode.protocol],
  'a stream id that falls': [
    Buffer.concat([headers(5, grpcFields(kv.put)), headers(3, grpcFields(kv.put))]),
    ErrorCode.protocol,
  ],
  'a header block that is no HPACK': [
    frame(Type.headers, 4, 1, Buffer.from([0xff, 0xff, 0xff, 0xff])),
    ErrorCode.compression,
  ],
  'an index beyond the table': [frame(Type.headers, 4, 1, Buffer.from([0xfe])), ErrorCode.compression],
  'CONTINUATION out of place': [frame(Type.continuation, 4, 1, none), ErrorCode.protocol],
  'another frame within a header block': [
    Buffer.concat([frame(Type.headers, 0, 1, block(grpcFields(kv.put))), frame(Type.ping, 0, 0, Buffer.alloc(8))]),
    ErrorCode.protocol,
  ],
  'SETTINGS of 5 bytes': [frame(Type.settings, 0, 0, Buffer.alloc(5)), ErrorCode.frameSize],
  'a window setting over 2^31': [settings([4, 0x8000_0000]), ErrorCode.flowControl],
  'PING of 7 bytes': [frame(Type.ping, 0, 0, Buffer.alloc(7)), ErrorCode.frameSize],
  'RST_STREAM on an idle stream': [frame(Type.reset, 0, 9, uint32(8)), ErrorCode.protocol],
  PUSH_PROMISE: [frame(Type.push, 4, 1, uint32(2)), ErrorCode.protocol],
  'an empty WINDOW_UPDATE': [frame(Type.windowUpdate, 0, 0, uint32(0)), ErrorCode.protocol],
  'a window over 2^31': [frame(Type.windowUpdate, 0, 0, uint32(0x7fff_ffff)), ErrorCode.flowControl],
  'a frame before SETTINGS': [none, ErrorCode.protocol],
}

describe('bad input: broken protocols', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, nodes: 1 })
  })
  after(() => cluster?.stop())

  it('malformed frames: GOAWAY with their code, then the end', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      for (const [name, [sent, code]] of Object.entries(malformed)) {
        const peer = await RawPeer.open(port)
        peer.send(
          sent === none
            ? Buffer.concat([greeting().subarray(0, 24), frame(Type.ping, 0, 0, Buffer.alloc(8))])
            : greeting(),
          sent,
        )
        await peer.untilEnded()
        assert.equal(peer.goAway, code, name)
        peer.destroy()
      }
    }))

  it('garbage bytes: a refusal or the end, whatever they are', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peers = await openMany(port, 600, { frames: false, halfOpen: true })
      await Promise.all(
        peers.map(async (peer, at) => {
          const bytes = noise(at, 20_000)
          // Some look like the beginning of a protocol.
          const start = [
            none,
            Buffer.from('GET /health HTTP/1.1\r\nhost: x\r\n'),
            greeting(),
            Buffer.from('POST / HTTP/1.1\r\n'),
          ][at % 4]!
          peer.send(start, bytes, Buffer.from('\r\n\r\n'))
          // What happens to be the start of a long frame may wait for its rest; the end of the input ends it too.
          peer.socket.end()
          await peer.untilEnded()
          peer.destroy()
        }),
      )
    }))

  it('an oversized request: RESOURCE_EXHAUSTED or etcd’s own refusal, announced or sent', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peer = await RawPeer.open(port)
      peer.send(greeting())
      // Announced: 4 GiB. Nothing of it is waited for.
      peer.send(headers(1, grpcFields(kv.put)), data(1, Buffer.concat([Buffer.from([0]), uint32(0xffff_ffff)])))
      await peer.until('the announced one is refused', () => peer.finished(1))
      assert.match(statusOf(peer, 1), /grpc-status: 8/)
      // Sent: over --max-request-bytes, within what gRPC takes.
      await peer.sendAll(unary(3, kv.put, kv.putRequest('big', Buffer.alloc(1_700_000))))
      await peer.until('the one sent is refused', () => peer.finished(3))
      assert.match(statusOf(peer, 3), /grpc-status: 3|request is too large/)
      // A window's worth over all streams, again and again, each too large.
      for (let id = 5; id < 100; id += 2) {
        peer.send(
          headers(id, grpcFields(kv.put)),
          data(id, Buffer.concat([Buffer.from([0]), uint32(100 << 20), Buffer.alloc(16_000)])),
        )
      }
      await peer.until('all are refused', () => peer.finished(99))
      peer.destroy()
    }))

  it('HPACK bombs: the stream is reset, and the connection ends when they go on', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peer = await RawPeer.open(port)
      peer.send(greeting())
      // A field of 4,000 bytes goes into the table; each later byte names it again.
      const insert = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4_000, 0x62)])
      peer.send(frame(Type.headers, 5, 1, Buffer.concat([block(grpcFields(kv.range)), insert])))
      const bomb = Buffer.concat([block(grpcFields(kv.range)), Buffer.alloc(16_000, 0xbe)])
      peer.send(frame(Type.headers, 5, 3, bomb))
      await peer.until('the bomb is reset', () => peer.finished(3))
      assert.equal(peer.resetCode(3), ErrorCode.calm)
      for (let id = 5; id < 40_000 && !peer.ended; id += 2) await peer.sendAll(frame(Type.headers, 5, id, bomb))
      await peer.untilEnded()
      assert.equal(peer.goAway ?? ErrorCode.calm, ErrorCode.calm)
    }))

  it('rapid resets (CVE-2023-44487): GOAWAY ENHANCE_YOUR_CALM', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      await onEach(port, 5, async (peer) => {
        for (let id = 1; id < 200_000 && !peer.ended; id += 200) {
          const burst: Buffer[] = []
          for (let i = id; i < id + 200; i += 2) {
            burst.push(headers(i, grpcFields(kv.put)), frame(Type.reset, 0, i, uint32(ErrorCode.cancel)))
          }
          await peer.sendAll(Buffer.concat(burst))
        }
        await peer.untilEnded()
        assert.equal(peer.goAway ?? ErrorCode.calm, ErrorCode.calm)
      })
    }))

  it('rapid resets of requests that run: bounded too', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      await onEach(port, 3, async (peer) => {
        for (let id = 1; id < 40_000 && !peer.ended; id += 200) {
          const burst: Buffer[] = []
          for (let i = id; i < id + 200; i += 2) {
            burst.push(
              unary(i, kv.range, kv.rangeRequest('\0', '\0')),
              frame(Type.reset, 0, i, uint32(ErrorCode.cancel)),
            )
          }
          await peer.sendAll(Buffer.concat(burst))
        }
        peer.destroy()
      })
    }))

  const floods: Readonly<Record<string, (at: number) => Buffer>> = {
    CONTINUATION: (at) =>
      at === 0
        ? frame(Type.headers, 0, 1, block(grpcFields(kv.put)))
        : frame(Type.continuation, 0, 1, Buffer.alloc(1_000, 0x82)),
    'empty CONTINUATION': (at) => (at === 0 ? frame(Type.headers, 0, 1, none) : frame(Type.continuation, 0, 1, none)),
    PING: () => frame(Type.ping, 0, 0, Buffer.alloc(8)),
    SETTINGS: () => settings([4, 70_000]),
    'SETTINGS that change the window': (at) => settings([4, at % 2]),
    PRIORITY: () => frame(Type.priority, 0, 99, Buffer.alloc(5)),
    'empty DATA': (at) => (at === 0 ? open : data(1, none)),
    'unknown frames': () => frame(77, 0, 0, none),
    'PING acknowledgements': () => frame(Type.ping, 1, 0, Buffer.alloc(8)),
  }
  for (const [name, make] of Object.entries(floods)) {
    it(`a flood of ${name}: GOAWAY ENHANCE_YOUR_CALM`, (t) =>
      underAttack(t, cluster.member(0), async (port) => {
        await onEach(port, 3, async (peer) => {
          for (let at = 0; at < 100_000 && !peer.ended; at += 500) {
            await peer.sendAll(Buffer.concat(Array.from({ length: 500 }, (_, i) => make(at + i))))
          }
          await peer.untilEnded()
          assert.equal(peer.goAway ?? ErrorCode.calm, ErrorCode.calm)
        })
      }))
  }

  it('invalid protobuf: a status for each, and the connection lives on', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peer = await RawPeer.open(port)
      peer.send(greeting([4, 0x7fff_ffff]), frame(Type.windowUpdate, 0, 0, uint32(0x7fff_0000)))
      const methods = ['KV/Range', 'KV/Put', 'KV/DeleteRange', 'KV/Txn', 'Lease/LeaseGrant', 'Lease/LeaseRevoke']
      methods.push(
        'Lease/LeaseTimeToLive',
        'Lease/LeaseLeases',
        'Maintenance/Status',
        'Maintenance/Hash',
        'Cluster/MemberList',
      )
      let id = 1
      for (const method of methods) {
        for (let i = 0; i < 100; i++, id += 2) {
          peer.send(
            unary(
              id,
              `/etcdserverpb.${method}`,
              noise(id, 1 + (id % 40)).map((byte) => (i % 3 === 0 ? byte : byte & 0x1f)),
            ),
          )
        }
      }
      // A length that claims more than there is, groups, and nesting without end.
      for (const bytes of [
        Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        Buffer.alloc(10_000, 0x0b),
        nested(2_000),
      ]) {
        peer.send(unary(id, '/etcdserverpb.KV/Txn', bytes))
        id += 2
      }
      const last = id - 2
      await peer.until(
        'every request has its answer',
        () => peer.frames.filter((one) => one.type === Type.headers && (one.flags & 1) === 1).length >= (last + 1) / 2,
      )
      assert.equal(peer.ended, false)
      // Streams too: Watch and LeaseKeepAlive.
      for (const path of ['/etcdserverpb.Watch/Watch', '/etcdserverpb.Lease/LeaseKeepAlive']) {
        for (let i = 0; i < 100; i++, id += 2) peer.send(headers(id, grpcFields(path)), grpcMessage(id, noise(id, 20)))
      }
      peer.send(frame(Type.ping, 0, 0, Buffer.alloc(8)))
      await peer.until('the ping is answered', () => peer.of(Type.ping).length > 0)
      assert.equal(peer.ended, false)
      peer.destroy()
    }))

  it('broken gRPC framing: a status for each', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const bodies: Readonly<Record<string, Buffer>> = {
        'no message': none,
        'half a prefix': Buffer.from([0, 0]),
        'half a message': envelope(Buffer.alloc(10)).subarray(0, 9),
        'two messages': Buffer.concat([envelope(none), envelope(none)]),
        'an unknown flag': Buffer.from([7, 0, 0, 0, 0]),
        'compressed without an encoding': Buffer.from([1, 0, 0, 0, 1, 0]),
      }
      const peer = await RawPeer.open(port)
      peer.send(greeting())
      for (const [at, [name, body]] of Object.entries(bodies).entries()) {
        const id = 2 * at + 1
        peer.send(headers(id, grpcFields(kv.put)), data(id, body, true))
        await peer.until(name, () => peer.finished(id))
        assert.match(statusOf(peer, id), /grpc-status: 13/, name)
      }
      peer.destroy()
    }))
})

async function onEach(port: number, count: number, act: (peer: RawPeer) => Promise<void>): Promise<void> {
  const peers = await openMany(port, count)
  await Promise.all(
    peers.map(async (peer) => {
      peer.send(greeting())
      await act(peer)
      peer.destroy()
    }),
  )
}

/** Reproducible bytes. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = (seed * 2_654_435_761 + 1) >>> 0
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** A Txn in a Txn in a Txn …: success (field 2) holds a RequestOp whose field 4 is a Txn. */
function nested(depth: number): Buffer {
  let bytes: Buffer = none
  for (let i = 0; i < depth; i++) {
    bytes = Buffer.concat([Buffer.from([i % 2 === 0 ? 0x22 : 0x12]), lengthOf(bytes), bytes])
  }
  return bytes
}

function lengthOf(bytes: Buffer): Buffer {
  const out: number[] = []
  let rest = bytes.length
  for (; rest >= 128; rest >>>= 7) out.push((rest & 127) | 128)
  out.push(rest)
  return Buffer.from(out)
}

/** `name: value` lines of the literals in a stream's header blocks; plain and indexed `grpc-status` both shown. */
function statusOf(peer: RawPeer, id: number): string {
  const text = peer.of(Type.headers, id).map((one) => decodeStatus(one.payload))
  return text.join('\n')
}

/** Finds the grpc-status literal: its value is one or two digits, never worth a Huffman code longer than itself. */
function decodeStatus(payload: Buffer): string {
  const name = huffmanOfGrpcStatus
  const at = payload.indexOf(name)
  if (at === -1) return ''
  const valueAt = at + name.length
  const length = payload[valueAt]! & 0x7f
  const raw = payload.subarray(valueAt + 1, valueAt + 1 + length)
  return `grpc-status: ${(payload[valueAt]! & 0x80) === 0 ? raw.toString() : digitsOf(raw)}`
}

/** RFC 7541 appendix B: 0 to 2 are the codes 0 to 2 of 5 bits, 3 to 9 are 0x19 to 0x1f of 6 bits. */
function digitsOf(raw: Buffer): string {
  let bits = [...raw].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  let text = ''
  for (;;) {
    const short = Number.parseInt(bits.slice(0, 5), 2)
    if (bits.length >= 5 && short <= 2) {
      text += short
      bits = bits.slice(5)
      continue
    }
    const long = Number.parseInt(bits.slice(0, 6), 2)
    if (bits.length < 6 || long < 0x19 || long > 0x1f) return text
    text += long - 0x19 + 3
    bits = bits.slice(6)
  }
}

/** `grpc-status` in the Huffman code of RFC 7541 appendix B, as Go's encoder writes it too. */
const huffmanOfGrpcStatus = Buffer.from('9acac8b21234da8f', 'hex')
