import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Http2ErrorCode, Setting } from '../http2/index.ts'
import { dataFrame, FrameType, frame, literalBlock, settingsFrame, uint32 } from '../http2/testing.ts'
import { ClientWorld, responseHeaders } from './testing.ts'

/** The code of the GOAWAY with which the client left. */
function codeOfGoAway(client: ClientWorld): number | undefined {
  return client
    .frames()
    .find((one) => one.type === FrameType.goAway)
    ?.payload.readUInt32BE(4)
}

const errors: readonly (readonly [title: string, code: number, frames: readonly Buffer[]])[] = [
  ['a push', Http2ErrorCode.protocolError, [frame(FrameType.pushPromise, 4, 1, Buffer.alloc(8))]],
  ['DATA on the connection', Http2ErrorCode.protocolError, [dataFrame(0, Buffer.alloc(1), false)]],
  ['DATA on an idle stream', Http2ErrorCode.protocolError, [dataFrame(5, Buffer.alloc(1), false)]],
  ['HEADERS on an even stream', Http2ErrorCode.protocolError, [responseHeaders(2, true)]],
  ['RST_STREAM on an idle stream', Http2ErrorCode.protocolError, [frame(FrameType.rstStream, 0, 9, uint32(8))]],
  ['an empty WINDOW_UPDATE', Http2ErrorCode.protocolError, [frame(FrameType.windowUpdate, 0, 0, uint32(0))]],
  [
    'a window past 2^31',
    Http2ErrorCode.flowControlError,
    [frame(FrameType.windowUpdate, 0, 0, uint32(0x7fff_ffff)), frame(FrameType.windowUpdate, 0, 0, uint32(1))],
  ],
  ['too large a frame', Http2ErrorCode.frameSizeError, [dataFrame(1, Buffer.alloc(16_385), false)]],
  [
    'too large a window setting',
    Http2ErrorCode.flowControlError,
    [settingsFrame([Setting.initialWindowSize, 2 ** 31])],
  ],
  ['a setting of half a size', Http2ErrorCode.frameSizeError, [frame(FrameType.settings, 0, 0, Buffer.alloc(5))]],
  [
    'a header block of nonsense',
    Http2ErrorCode.compressionError,
    [frame(FrameType.headers, 4, 1, Buffer.from([0xff]))],
  ],
  ['CONTINUATION alone', Http2ErrorCode.protocolError, [frame(FrameType.continuation, 4, 1, Buffer.alloc(1))]],
  [
    'an interrupted header block',
    Http2ErrorCode.protocolError,
    [frame(FrameType.headers, 0, 1, literalBlock([[':status', '200']])), dataFrame(1, Buffer.alloc(1), false)],
  ],
  ['too much padding', Http2ErrorCode.protocolError, [frame(FrameType.data, 8, 1, Buffer.from([9, 0]))]],
  [
    'a flood of CONTINUATION',
    Http2ErrorCode.enhanceYourCalm,
    [
      frame(FrameType.headers, 0, 1, Buffer.alloc(0)),
      ...Array.from({ length: 70 }, () => frame(FrameType.continuation, 0, 1, Buffer.alloc(0))),
    ],
  ],
  [
    'a flood of pings',
    Http2ErrorCode.enhanceYourCalm,
    Array.from({ length: 10_001 }, () => frame(FrameType.ping, 0, 0, Buffer.alloc(8))),
  ],
  [
    'a flood of settings',
    Http2ErrorCode.enhanceYourCalm,
    Array.from({ length: 10_001 }, () => settingsFrame([Setting.initialWindowSize, 7])),
  ],
  [
    'a flood of informational heads',
    Http2ErrorCode.enhanceYourCalm,
    Array.from({ length: 10_001 }, () => responseHeaders(1, false, [[':status', '100']])),
  ],
  [
    'a flood of unknown frames',
    Http2ErrorCode.enhanceYourCalm,
    Array.from({ length: 10_001 }, () => frame(77, 0, 0, Buffer.alloc(0))),
  ],
]

describe('a server that breaks the protocol', () => {
  for (const [title, code, frames] of errors) {
    it(`${title} ends the connection`, () => {
      const client = new ClientWorld().settle()
      const response = client.open()
      client.receive(Buffer.concat(frames))
      assert.equal(codeOfGoAway(client), code)
      assert.equal(response.ends, 1)
      assert.equal(client.transport.closed, 'ended')
    })
  }

  const streamErrors: readonly (readonly [title: string, frames: readonly Buffer[]])[] = [
    ['a body before its head', [dataFrame(1, Buffer.alloc(1), false)]],
    ['a head without status', [responseHeaders(1, false, [['a', 'b']])]],
    ['a head of a request', [responseHeaders(1, false, [[':path', '/']])]],
    [
      'two statuses',
      [
        responseHeaders(1, false, [
          [':status', '200'],
          [':status', '200'],
        ]),
      ],
    ],
    ['trailers with a status', [responseHeaders(1, false), responseHeaders(1, true)]],
    ['trailers that do not end', [responseHeaders(1, false), responseHeaders(1, false, [['a', 'b']])]],
    [
      'a list past the bound',
      [
        responseHeaders(
          1,
          false,
          Array.from({ length: 40 }, () => ['a', 'b'.repeat(200)]),
        ),
      ],
    ],
  ]
  for (const [title, frames] of streamErrors) {
    it(`${title} fails its stream alone`, () => {
      const client = new ClientWorld({ headerListBytesMax: 4_096 }).settle()
      const response = client.open()
      const other = client.open()
      client.receive(...frames, responseHeaders(3, true))
      assert.equal(response.failures[0]?.by, 'local')
      assert.deepEqual([response.ends, other.heard], [1, ['head 200']])
      assert.ok(client.frames().some((one) => one.type === FrameType.rstStream && one.streamId === 1))
    })
  }

  it('a body past the stream’s window fails the stream', () => {
    const client = new ClientWorld({ streamReceiveWindowBytes: 20_000, connectionReceiveWindowBytes: 70_000 }).settle()
    const response = client.open()
    response.consumes = false
    const body = dataFrame(1, Buffer.alloc(16_384), false)
    client.receive(responseHeaders(1, false), body, body)
    assert.equal(response.failures[0]?.code, Http2ErrorCode.flowControlError)
    assert.equal(client.transport.closed, 'open')
  })

  it('one that pings after each request, as grpc-go measures bandwidth, is not hostile; one that pings on is', () => {
    const client = new ClientWorld({ nuisanceFramesBurst: 10 }).settle()
    const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8))
    for (let at = 0; at < 50; at++) {
      client.open().stream!.send(Buffer.alloc(5))
      client.world.turn()
      client.receive(ping)
    }
    assert.deepEqual(client.heard, ['ready'])
    for (let at = 0; at < 11; at++) client.receive(ping)
    assert.match(client.heard.at(-1)!, /closed: too many control frames/)
  })

  it('one that does not read while it asks is left', () => {
    const client = new ClientWorld({ nuisanceFramesBurst: 1e9, queuedControlFramesMax: 1_000 }).settle()
    client.transport.isStuck = true
    client.transport.queuedBytes = 2 << 20
    client.open()
    const ping = frame(FrameType.ping, 0, 0, Buffer.alloc(8))
    for (let at = 0; at < 1_100; at++) client.receive(ping)
    assert.match(client.heard.at(-1)!, /closed: too many replies/)
  })

  it('one that takes no output leaves bodies waiting in their streams', () => {
    const client = new ClientWorld().settle([Setting.initialWindowSize, 0x7fff_ffff])
    client.receive(frame(FrameType.windowUpdate, 0, 0, uint32(0x7fff_0000)))
    client.transport.isStuck = true
    const response = client.open()
    for (let at = 0; at < 1_000; at++) {
      response.stream!.send(Buffer.alloc(16_000))
      client.world.turn()
    }
    // Little more than the transport's mark is handed over.
    assert.ok(client.transport.queuedBytes < 3 << 20, `${client.transport.queuedBytes}`)
    assert.equal(client.http2.canOpen, false)
  })

  it('no HTTP/2 at all is told so', () => {
    const client = new ClientWorld()
    client.receive(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'))
    assert.match(client.heard[0]!, /does not speak HTTP\/2/)
  })
})

describe('any bytes at all', () => {
  /** Opens three streams, feeds the bytes in pieces, closes: nothing throws, and every stream has ended exactly once. */
  function feed(bytes: Uint8Array, pieceBytes: number): void {
    const client = new ClientWorld().settle()
    const responses = [client.open(), client.open(), client.open()]
    responses[1]!.stream!.send(Buffer.alloc(100_000))
    responses[2]!.stream!.end()
    for (let at = 0; at < bytes.length; at += pieceBytes) client.receive(bytes.subarray(at, at + pieceBytes))
    client.world.advance(1_000)
    client.transport.close('ended')
    assert.deepEqual(
      responses.map((response) => response.ends),
      [1, 1, 1],
    )
    assert.equal(client.http2.streams.size, 0)
    assert.equal(client.http2.sender.queuedBytes, 0)
    assert.equal(client.heard.filter((one) => one.startsWith('closed')).length, 1)
  }

  it('random bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 50 }), feed), { numRuns: 300 })
  })

  it('random frames', () => {
    const anyFrame = fc
      .tuple(
        fc.integer({ min: 0, max: 10 }),
        fc.constantFrom(0, 1, 4, 5, 8, 0xd, 0x20, 0x25, 0xff),
        fc.constantFrom(0, 1, 2, 3, 5, 7, 0x7fff_ffff),
        fc.oneof(
          fc.uint8Array({ maxLength: 30 }),
          fc.constantFrom(
            literalBlock([[':status', '200']]),
            literalBlock([['grpc-status', '0']]),
            uint32(1),
            uint32(0),
            Buffer.from([0x88]),
            Buffer.alloc(8),
          ),
        ),
      )
      .map(([type, flags, streamId, payload]) => frame(type, flags, streamId, payload))
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 40 }), fc.integer({ min: 1, max: 400 }), (frames, pieceBytes) =>
        feed(Buffer.concat(frames), pieceBytes),
      ),
      { numRuns: 1_500 },
    )
  })
})
