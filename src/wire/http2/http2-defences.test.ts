/** What a hostile or broken peer can do to one connection, and what stops it. Driven by hand, no sockets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Http2ServerConnection } from './http2-server-connection.ts'
import type { Http2Stream } from './http2-stream.ts'
import type { Http2Options } from './options.ts'
import { OutputArena } from './output-arena.ts'
import { Flag, FrameType, Http2ErrorCode, Setting } from './protocol.ts'
import {
  dataFrame,
  frame,
  greeting,
  headersFrame,
  literalBlock,
  ManualWorld,
  MemoryConnection,
  requestFields,
  type SeenFrame,
  settingsFrame,
  uint32,
} from './testing.ts'

interface Fixture {
  readonly world: ManualWorld
  readonly connection: MemoryConnection
  readonly http2: Http2ServerConnection
  readonly streams: Http2Stream[]
  readonly resets: number[]
  readonly bodies: Map<number, number>
  closed: number
}

/** A connection whose handler keeps streams open until the test answers them. */
function open(options: Partial<Http2Options> = {}, greet: Uint8Array | undefined = greeting()): Fixture {
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const fixture = { world, connection, streams: [], resets: [], bodies: new Map(), closed: 0 } as unknown as {
    -readonly [key in keyof Fixture]: Fixture[key]
  }
  fixture.http2 = new Http2ServerConnection({
    connection,
    scheduler: world,
    clock: world,
    arena: new OutputArena(),
    options,
    handler: () => ({
      onStream(stream) {
        fixture.streams.push(stream)
        return {
          onData(_bytes, start, end) {
            fixture.bodies.set(stream.id, (fixture.bodies.get(stream.id) ?? 0) + end - start)
            stream.consumed(end - start)
          },
          onReset: () => fixture.resets.push(stream.id),
          onDrain() {},
        }
      },
      onClosed: () => fixture.closed++,
    }),
  })
  connection.setHandler(fixture.http2)
  if (greet.length > 0) fixture.http2.onData(greet)
  world.turn()
  return fixture
}

function send(fixture: Fixture, ...frames: Uint8Array[]): SeenFrame[] {
  fixture.connection.takeFrames()
  fixture.http2.onData(Buffer.concat(frames))
  fixture.world.turn()
  return fixture.connection.takeFrames()
}

function goAwayCode(frames: readonly SeenFrame[]): number | undefined {
  return frames.find((seen) => seen.type === FrameType.goAway)?.payload.readUInt32BE(4)
}

function answer(fixture: Fixture, stream: Http2Stream, body: Uint8Array): void {
  stream.sendHeaders(fixture.http2.encoder.template([[':status', '200']]), false)
  stream.send([body])
  stream.end()
}

test('rapid reset ends the connection (CVE-2023-44487)', () => {
  const fixture = open({ resetsBurst: 100 })
  const attack: Buffer[] = []
  for (let id = 1; id < 1000; id += 2) {
    attack.push(headersFrame(id, true), frame(FrameType.rstStream, 0, id, uint32(Http2ErrorCode.cancel)))
  }
  assert.equal(goAwayCode(send(fixture, ...attack)), Http2ErrorCode.enhanceYourCalm)
  assert.equal(fixture.streams.length, 101)
  assert.equal(fixture.http2.openStreams, 0)
  assert.equal(fixture.connection.closed, 'ended')
})

test('resets of answered streams are no attack', () => {
  const fixture = open({ resetsBurst: 10 })
  for (let id = 1; id < 200; id += 2) {
    send(fixture, headersFrame(id, false))
    fixture.streams.at(-1)!.sendHeaders(fixture.http2.encoder.template([[':status', '200']]), false)
    const seen = send(fixture, frame(FrameType.rstStream, 0, id, uint32(Http2ErrorCode.cancel)))
    assert.equal(goAwayCode(seen), undefined)
  }
  assert.equal(fixture.resets.length, 100)
})

test('a CONTINUATION flood ends the connection, by bytes and by frames', () => {
  for (const piece of [Buffer.alloc(16_000, 0x82), Buffer.alloc(0)]) {
    const fixture = open()
    const attack = [frame(FrameType.headers, 0, 1, Buffer.from([0x82]))]
    for (let i = 0; i < 100; i++) attack.push(frame(FrameType.continuation, 0, 1, piece))
    assert.equal(goAwayCode(send(fixture, ...attack)), Http2ErrorCode.enhanceYourCalm)
  }
})

test('a header list that is too large resets its stream, and the table stays in step', () => {
  const fixture = open()
  const insert = Buffer.concat([Buffer.from([0x40, 1, 0x61, 0x7f, 0xa1, 0x1e]), Buffer.alloc(4000, 0x62)])
  const block = Buffer.concat([literalBlock(requestFields), insert])
  send(fixture, frame(FrameType.headers, Flag.endHeaders, 1, block))
  assert.equal(fixture.streams.length, 1)
  const bomb = Buffer.concat([literalBlock(requestFields), Buffer.alloc(10_000, 0xbe)])
  const seen = send(fixture, frame(FrameType.headers, Flag.endHeaders, 3, bomb))
  assert.deepEqual(
    seen.map((one) => [one.type, one.streamId, one.payload.readUInt32BE(0)]),
    [[FrameType.rstStream, 3, Http2ErrorCode.enhanceYourCalm]],
  )
  const small = Buffer.concat([literalBlock(requestFields), Buffer.from([0xbe])])
  send(fixture, frame(FrameType.headers, Flag.endHeaders, 5, small))
  assert.equal(fixture.streams.at(-1)!.head.get('a')!.length, 4000)
})

test('floods of PING, SETTINGS, PRIORITY and empty DATA end the connection', () => {
  const floods: [string, Buffer][] = [
    ['ping', frame(FrameType.ping, 0, 0, Buffer.alloc(8))],
    ['settings', settingsFrame()],
    ['priority', frame(FrameType.priority, 0, 99, Buffer.alloc(5))],
    ['empty data', dataFrame(1, Buffer.alloc(0), false)],
  ]
  for (const [name, one] of floods) {
    const fixture = open({ nuisanceFramesBurst: 100 })
    const seen = send(fixture, headersFrame(1, false), ...new Array<Buffer>(200).fill(one))
    assert.equal(goAwayCode(seen), Http2ErrorCode.enhanceYourCalm, name)
  }
})

test('a peer that asks and never reads is cut off', () => {
  const fixture = open({ nuisanceFramesBurst: 1e9, queuedControlFramesMax: 1000, outputBytesMax: 4 << 20 })
  fixture.connection.isStuck = true
  const pings = Buffer.concat(new Array<Buffer>(1000).fill(frame(FrameType.ping, 0, 0, Buffer.alloc(8))))
  for (let i = 0; i < 1000 && fixture.connection.closed === 'open'; i++) {
    fixture.http2.onData(pings)
    fixture.world.turn()
  }
  assert.notEqual(fixture.connection.closed, 'open')
  assert.ok(fixture.connection.queuedBytes < 5 << 20)
})

test('responses wait in their streams while the transport is full, and go on when it drains', () => {
  const fixture = open({}, greeting([Setting.initialWindowSize, 0x7fff_ffff]))
  send(fixture, frame(FrameType.windowUpdate, 0, 0, uint32(0x7fff_0000)), headersFrame(1, true))
  fixture.connection.isStuck = true
  answer(fixture, fixture.streams[0]!, Buffer.alloc(10 << 20))
  for (let i = 0; i < 10; i++) fixture.world.turn()
  assert.ok(fixture.connection.queuedBytes < 1.2 * (1 << 20))
  fixture.connection.isStuck = false
  fixture.connection.queuedBytes = 0
  fixture.http2.onDrain()
  fixture.world.turn()
  const body = fixture.connection.takeFrames().filter((seen) => seen.type === FrameType.data)
  assert.equal(
    body.reduce((sum, seen) => sum + seen.payload.length, 0),
    10 << 20,
  )
  assert.equal(body.at(-1)!.flags & Flag.endStream, Flag.endStream)
})

test('a peer with a zero window holds bounded memory: new streams are refused, then the connection ends', () => {
  const fixture = open({ queuedBodyBytesMax: 1 << 20 }, greeting([Setting.initialWindowSize, 0]))
  const body = Buffer.alloc(512 << 10)
  for (let id = 1; id <= 5; id += 2) send(fixture, headersFrame(id, true))
  for (const stream of fixture.streams) answer(fixture, stream, body)
  const seen = send(fixture, headersFrame(7, true))
  const refusal = seen.find((one) => one.type === FrameType.rstStream)
  assert.equal(refusal?.payload.readUInt32BE(0), Http2ErrorCode.refusedStream)
  for (let i = 0; i < 8; i++) fixture.streams[0]!.send([body])
  assert.equal(fixture.connection.closed, 'open')
  // The response of stream 1 is already ending, so nothing more was queued; a stream that is not can pass the bound.
  const other = open({ queuedBodyBytesMax: 1 << 20 }, greeting([Setting.initialWindowSize, 0]))
  send(other, headersFrame(1, true))
  for (let i = 0; i < 9; i++) other.streams[0]!.send([body])
  other.world.turn()
  assert.equal(other.connection.closed, 'destroyed')
})

test('one stream too many is refused', () => {
  const fixture = open({ concurrentStreamsMax: 2 })
  const seen = send(fixture, headersFrame(1, false), headersFrame(3, false), headersFrame(5, false))
  assert.equal(seen.length, 1)
  assert.equal(seen[0]!.payload.readUInt32BE(0), Http2ErrorCode.refusedStream)
  assert.equal(fixture.http2.openStreams, 2)
})

test('slow loris: preface, frame and header block must arrive in time', () => {
  const preface = open({}, greeting().subarray(0, 10))
  preface.world.advance(11_000)
  assert.equal(preface.connection.closed, 'destroyed')

  for (const piece of [headersFrame(1, true).subarray(0, 20), frame(FrameType.headers, 0, 1, Buffer.from([0x82]))]) {
    const fixture = open()
    send(fixture, piece)
    fixture.world.advance(19_000)
    assert.equal(fixture.connection.closed, 'open')
    fixture.world.advance(2_000)
    assert.equal(goAwayCode(fixture.connection.takeFrames()), Http2ErrorCode.enhanceYourCalm)
  }
  const progressing = open()
  const upload = Buffer.concat([headersFrame(1, false), dataFrame(1, Buffer.alloc(100), false)])
  for (const byte of upload) {
    progressing.http2.onData(Uint8Array.of(byte))
    progressing.world.advance(100)
  }
  assert.equal(progressing.connection.closed, 'open')
  assert.equal(progressing.bodies.get(1), 100)
})

test('padded frames: padding counts for flow control and is not delivered', () => {
  const fixture = open({ streamReceiveWindowBytes: 1000 })
  const padded = frame(FrameType.data, Flag.padded, 1, Buffer.concat([Buffer.from([90]), Buffer.alloc(100)]))
  send(fixture, headersFrame(1, false))
  for (let i = 0; i < 100; i++) assert.equal(goAwayCode(send(fixture, padded)), undefined)
  assert.equal(fixture.bodies.get(1), 1000)
  const tooLong = frame(FrameType.data, Flag.padded, 1, Buffer.from([5, 0, 0, 0, 0]))
  assert.equal(goAwayCode(send(fixture, tooLong)), Http2ErrorCode.protocolError)
})

test('priority is ignored', () => {
  const fixture = open()
  const payload = Buffer.concat([uint32(0x8000_0000), Buffer.from([15]), literalBlock(requestFields)])
  const flags = Flag.priority | Flag.endHeaders | Flag.endStream
  send(
    fixture,
    frame(FrameType.priority, 0, 7, Buffer.from([0, 0, 0, 3, 1])),
    frame(FrameType.headers, flags, 1, payload),
  )
  assert.equal(fixture.streams.length, 1)
})

test('a client that half-closes its connection gets the answers it asked for', () => {
  const fixture = open()
  send(fixture, headersFrame(1, true), headersFrame(3, false))
  fixture.http2.onEnd()
  assert.deepEqual(fixture.resets, [3])
  assert.equal(fixture.connection.closed, 'open')
  answer(fixture, fixture.streams[0]!, Buffer.from('x'))
  fixture.world.turn()
  assert.equal(
    fixture.connection.takeFrames().some((seen) => seen.type === FrameType.data && seen.streamId === 1),
    true,
  )
  assert.equal(fixture.connection.closed, 'ended')
})

test('a lost connection tells every stream, then the handler, once', () => {
  const fixture = open()
  send(fixture, headersFrame(1, false), headersFrame(3, true))
  fixture.http2.onClose('reset')
  fixture.http2.onClose('reset')
  assert.deepEqual(fixture.resets, [1, 3])
  assert.equal(fixture.closed, 1)
})

test('graceful shutdown: two GOAWAYs, no new stream, the open ones finish', () => {
  const fixture = open()
  send(fixture, headersFrame(1, true))
  fixture.http2.shutdown(5000)
  fixture.world.turn()
  const [first, ping] = fixture.connection.takeFrames()
  assert.equal(first!.payload.readUInt32BE(0), 0x7fff_ffff)
  send(fixture, headersFrame(3, true))
  assert.equal(fixture.streams.length, 2)
  const [second] = send(fixture, frame(FrameType.ping, Flag.ack, 0, ping!.payload))
  assert.equal(second!.type, FrameType.goAway)
  assert.equal(second!.payload.readUInt32BE(0), 3)
  send(fixture, headersFrame(5, false), dataFrame(5, Buffer.from('late'), true))
  assert.equal(fixture.streams.length, 2)
  for (const stream of fixture.streams) answer(fixture, stream, Buffer.from('x'))
  fixture.world.turn()
  assert.equal(fixture.connection.closed, 'ended')
})

test('graceful shutdown: what does not finish in time is cut off', () => {
  const fixture = open()
  send(fixture, headersFrame(1, true))
  fixture.http2.shutdown(5000)
  fixture.world.advance(4_900)
  assert.equal(fixture.connection.closed, 'open')
  fixture.world.advance(200)
  assert.equal(fixture.connection.closed, 'destroyed')
})

test('too many pings: as grpc-go enforces it', () => {
  const policy = { pingPolicy: { minIntervalMs: 5_000, permitWithoutStream: false } }
  const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8))
  const fixture = open(policy)
  send(fixture, headersFrame(1, false))
  for (let i = 0; i < 10; i++) {
    assert.equal(goAwayCode(send(fixture, ping)), undefined)
    fixture.world.advance(5_001)
  }
  // The first comes on time; the next two are strikes, the third ends it.
  assert.equal(goAwayCode(send(fixture, ping, ping, ping)), undefined)
  const seen = send(fixture, ping)
  assert.equal(goAwayCode(seen), Http2ErrorCode.enhanceYourCalm)
  assert.equal(seen.at(-1)!.payload.toString('latin1', 8), 'too_many_pings')
})

test('a ping after data was sent is free, also when the data had waited for window', () => {
  const policy = { pingPolicy: { minIntervalMs: 5_000, permitWithoutStream: false } }
  const fixture = open(policy, greeting([Setting.initialWindowSize, 10]))
  send(fixture, headersFrame(1, true))
  answer(fixture, fixture.streams[0]!, Buffer.alloc(1000))
  const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8))
  // What grpc-go's bandwidth estimator does: a ping for each piece that arrives.
  for (let i = 0; i < 50; i++) {
    assert.equal(goAwayCode(send(fixture, frame(FrameType.windowUpdate, 0, 1, uint32(10)))), undefined)
    assert.equal(goAwayCode(send(fixture, ping)), undefined)
  }
})

test('a ping after each answer is no flood, a second one is', () => {
  const fixture = open({ nuisanceFramesBurst: 10 }, greeting([Setting.initialWindowSize, 10]))
  send(fixture, headersFrame(1, true))
  answer(fixture, fixture.streams[0]!, Buffer.alloc(1000))
  const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8))
  const piece = frame(FrameType.windowUpdate, 0, 1, uint32(10))
  for (let i = 0; i < 50; i++) {
    send(fixture, piece)
    assert.equal(goAwayCode(send(fixture, ping)), undefined)
  }
  const seen = send(fixture, ...new Array<Buffer>(11).fill(ping))
  assert.equal(goAwayCode(seen), Http2ErrorCode.enhanceYourCalm)
})

test('all output of a turn leaves in one write', () => {
  const fixture = open()
  const requests: Buffer[] = []
  for (let id = 1; id < 200; id += 2) requests.push(headersFrame(id, true))
  send(fixture, ...requests)
  fixture.connection.writes = 0
  for (const stream of fixture.streams) answer(fixture, stream, Buffer.from('response'))
  fixture.world.turn()
  assert.equal(fixture.connection.writes, 1)
})

const anyType = fc.oneof(fc.constantFrom(...Object.values(FrameType)), fc.nat(255))
const anyFrame = fc
  .record({
    type: anyType,
    flags: fc.oneof(fc.constantFrom(0, 1, 4, 5, 8, 13), fc.nat(255)),
    streamId: fc.constantFrom(0, 1, 2, 3, 5, 7, 0x7fff_ffff),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 30 }),
      fc.constant(Uint8Array.from(literalBlock(requestFields))),
      fc.constant(Uint8Array.from(uint32(1))),
    ),
  })
  .map((one) => frame(one.type, one.flags, one.streamId, one.payload))

test('arbitrary bytes and arbitrary frames never throw out of a connection', () => {
  const input = fc.array(fc.oneof({ weight: 8, arbitrary: anyFrame }, { weight: 1, arbitrary: fc.uint8Array() }), {
    maxLength: 30,
  })
  fc.assert(
    fc.property(input, fc.boolean(), fc.nat(40), (pieces, greet, cut) => {
      const fixture = open({}, greet ? greeting() : new Uint8Array(0))
      const bytes = Buffer.concat(pieces)
      for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
        fixture.http2.onData(part)
        for (const stream of fixture.streams)
          if (!stream.isClosed && stream.isRemoteClosed) answer(fixture, stream, part)
        fixture.world.turn()
      }
      fixture.http2.onEnd()
      fixture.world.advance(100_000)
      fixture.http2.onClose('ended')
      assert.equal(fixture.closed, 1)
      assert.equal(fixture.http2.openStreams, 0)
      assert.equal(fixture.http2.sender.queuedBytes, 0)
    }),
    { numRuns: 1500 },
  )
})
