import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Http2ErrorCode, Setting } from '../http2/index.ts'
import { dataFrame, FrameType, frame, settingsFrame, uint32 } from '../http2/testing.ts'
import { ClientWorld, responseHeaders } from './testing.ts'

const typesOf = (frames: readonly { type: number }[]): number[] => frames.map((one) => one.type)

function goAway(lastStreamId: number, code: number, text = ''): Buffer {
  return frame(FrameType.goAway, 0, 0, Buffer.concat([uint32(lastStreamId), uint32(code), Buffer.from(text)]))
}

describe('an HTTP/2 client connection', () => {
  it('sends the preface and its settings, and opens no stream before the server’s', () => {
    const client = new ClientWorld()
    const { preface, frames } = client.greeting()
    assert.equal(preface, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    assert.equal(frames[3], FrameType.settings)
    assert.equal(client.http2.canOpen, false)
    client.receive(settingsFrame())
    assert.deepEqual(client.heard, ['ready'])
    assert.equal(client.http2.canOpen, true)
    const [ack] = client.frames()
    assert.deepEqual([ack!.type, ack!.flags], [FrameType.settings, 1])
  })

  it('makes the frames of a turn one write', () => {
    const client = new ClientWorld().settle()
    const writes = client.transport.writes
    for (let at = 0; at < 100; at++) client.open().stream!.end()
    assert.equal(client.transport.writes, writes)
    assert.equal(client.frames().length, 200)
    assert.equal(client.transport.writes, writes + 1)
  })

  it('hands on head, body and trailers, and skips informational heads', () => {
    const client = new ClientWorld().settle()
    const response = client.open()
    response.stream!.end()
    client.receive(
      responseHeaders(1, false, [[':status', '103']]),
      responseHeaders(1, false),
      dataFrame(1, Buffer.alloc(10), false),
      responseHeaders(1, true, [['grpc-status', '0']]),
    )
    assert.deepEqual(response.heard, ['head 200', 'data 10', 'trailers 1'])
    assert.equal(client.http2.streams.size, 0)
    assert.deepEqual(typesOf(client.frames()), [FrameType.headers, FrameType.data])
  })

  it('keeps to the streams that the server allows, also when it changes its mind', () => {
    const client = new ClientWorld().settle([Setting.maxConcurrentStreams, 2])
    const first = client.open()
    client.open()
    assert.equal(client.http2.canOpen, false)
    client.receive(settingsFrame([Setting.maxConcurrentStreams, 3]))
    assert.equal(client.http2.canOpen, true)
    client.receive(settingsFrame([Setting.maxConcurrentStreams, 1]))
    client.receive(responseHeaders(first.stream!.id, true))
    assert.equal(client.http2.canOpen, false)
    client.receive(settingsFrame([Setting.maxConcurrentStreams, 2]))
    assert.equal(client.http2.canOpen, true)
  })

  it('sends bodies within the windows of stream and connection, the last frame with the end', () => {
    const client = new ClientWorld().settle([Setting.initialWindowSize, 10])
    const response = client.open()
    response.stream!.send(Buffer.alloc(25))
    response.stream!.end()
    const bodies = (): [number, number][] =>
      client
        .frames()
        .filter((one) => one.type === FrameType.data)
        .map((one) => [one.payload.length, one.flags])
    assert.deepEqual(bodies(), [[10, 0]])
    client.receive(frame(FrameType.windowUpdate, 0, 1, uint32(5)))
    assert.deepEqual(bodies(), [[5, 0]])
    client.receive(settingsFrame([Setting.initialWindowSize, 0]))
    client.receive(frame(FrameType.windowUpdate, 0, 1, uint32(10)))
    assert.deepEqual(bodies(), [])
    client.receive(settingsFrame([Setting.initialWindowSize, 10]))
    assert.deepEqual(bodies(), [[10, 1]])
    assert.equal(response.stream!.isLocalClosed, true)
  })

  it('opens the connection’s window as it is used, the stream’s as its receiver consumes', () => {
    const client = new ClientWorld({ streamReceiveWindowBytes: 65_535, connectionReceiveWindowBytes: 131_000 })
    client.settle()
    const response = client.open()
    response.consumes = false
    client.receive(responseHeaders(1, false))
    for (let at = 0; at < 4; at++) client.receive(dataFrame(1, Buffer.alloc(16_383), false))
    const updates = client.frames().filter((one) => one.type === FrameType.windowUpdate)
    assert.deepEqual(
      updates.map((one) => one.streamId),
      [0],
    )
    response.stream!.consumed(4 * 16_383)
    const [update] = client.frames()
    assert.deepEqual([update!.type, update!.streamId, update!.payload.readUInt32BE(0)], [8, 1, 4 * 16_383])
  })

  it('a stream that is reset says whether it was acted upon', () => {
    const client = new ClientWorld().settle()
    const refused = client.open()
    const cancelled = client.open()
    const late = client.open()
    client.receive(
      frame(FrameType.rstStream, 0, 1, uint32(Http2ErrorCode.refusedStream)),
      frame(FrameType.rstStream, 0, 3, uint32(Http2ErrorCode.cancel)),
      responseHeaders(5, false),
      frame(FrameType.rstStream, 0, 5, uint32(Http2ErrorCode.refusedStream)),
    )
    assert.deepEqual(
      [refused, cancelled, late].map((one) => one.failures[0]!.processed),
      [false, true, true],
    )
    assert.match(refused.failures[0]!.reason, /REFUSED_STREAM/)
  })

  it('GOAWAY: a stream that was answered was acted upon, whatever the server says', () => {
    const client = new ClientWorld().settle()
    const answered = client.open()
    const silent = client.open()
    client.receive(responseHeaders(1, false), goAway(0, Http2ErrorCode.noError))
    assert.deepEqual([answered.failures[0]!.processed, silent.failures[0]!.processed], [true, false])
  })

  it('GOAWAY: streams above the last one were not acted upon, the others go on, and then it closes', () => {
    const client = new ClientWorld().settle()
    const first = client.open()
    const second = client.open()
    client.receive(goAway(0x7fff_ffff, Http2ErrorCode.noError, 'soon'))
    assert.equal(client.http2.canOpen, false)
    assert.deepEqual(client.heard.slice(1), ['draining: the server said GOAWAY with NO_ERROR (soon)'])
    client.receive(goAway(1, Http2ErrorCode.noError))
    assert.deepEqual([second.failures[0]!.processed, first.ends], [false, 0])
    client.receive(responseHeaders(1, true))
    assert.deepEqual(first.heard, ['head 200'])
    assert.equal(client.heard.length, 3)
    assert.equal(client.transport.closed, 'ended')
  })

  it('stops opening streams when their ids are used up', () => {
    const client = new ClientWorld().settle()
    client.http2.nextId = 0x7fff_ffff
    const last = client.open()
    assert.equal(client.http2.canOpen, false)
    assert.deepEqual(client.heard, ['ready'])
    client.world.turn()
    assert.deepEqual(client.heard, ['ready', 'draining: its stream ids are used up'])
    client.receive(responseHeaders(0x7fff_ffff, true))
    assert.deepEqual(last.heard, ['head 200'])
    assert.match(client.heard.at(-1)!, /^closed/)
  })

  it('a response before the end of its request gives the request up', () => {
    const client = new ClientWorld().settle([Setting.initialWindowSize, 5])
    const response = client.open()
    response.stream!.send(Buffer.alloc(100))
    client.frames()
    client.receive(responseHeaders(1, true))
    assert.deepEqual(response.heard, ['head 200'])
    const [reset] = client.frames()
    assert.deepEqual([reset!.type, reset!.payload.readUInt32BE(0)], [FrameType.rstStream, Http2ErrorCode.noError])
    assert.equal(client.http2.sender.queuedBytes, 0)
  })

  it('ignores late frames of streams that it reset, but keeps windows and header table in step', () => {
    const client = new ClientWorld({ connectionReceiveWindowBytes: 70_000 }).settle()
    const given = client.open()
    given.stream!.reset()
    // ':status: 200' and a field that enters the table, then the same field by its index, on another stream.
    client.receive(frame(FrameType.headers, 0x4, 1, Buffer.from([0x88, 0x40, 1, 0x61, 1, 0x62])))
    for (let at = 0; at < 3; at++) client.receive(dataFrame(1, Buffer.alloc(16_384), false))
    const other = client.open()
    client.receive(frame(FrameType.headers, 0x5, 3, Buffer.from([0x88, 0xbe])))
    assert.deepEqual([given.heard, other.heard], [[], ['head 200']])
    assert.ok(client.frames().some((one) => one.type === FrameType.windowUpdate && one.streamId === 0))
  })

  it('loses the streams with the transport, once each', () => {
    const client = new ClientWorld().settle()
    const response = client.open()
    client.transport.close('reset')
    client.transport.handler!.onData(responseHeaders(1, true))
    assert.deepEqual(response.heard, ['failed'])
    assert.equal(response.failures[0]!.processed, true)
    assert.deepEqual(client.heard.slice(1), ['closed: the connection was reset'])
  })
})

describe('keep-alive', () => {
  const options = { keepAliveTimeMs: 6_000, keepAliveTimeoutMs: 3_000 }
  const pings = (client: ClientWorld): number => client.frames().filter((one) => one.type === FrameType.ping).length

  it('pings when a request was sent and nothing was heard since, and closes when nothing follows', () => {
    const client = new ClientWorld(options).settle()
    const response = client.open()
    client.world.advance(5_999)
    assert.equal(pings(client), 0)
    client.world.advance(1)
    assert.equal(pings(client), 1)
    client.world.advance(2_999)
    assert.equal(response.ends, 0)
    client.world.advance(1)
    assert.deepEqual([response.heard, client.transport.closed], [['failed'], 'destroyed'])
    assert.equal(response.failures[0]!.processed, true)
  })

  it('takes any byte as a sign of life, and asks again later', () => {
    const client = new ClientWorld(options).settle()
    const response = client.open()
    for (let round = 0; round < 5; round++) {
      client.world.advance(6_000)
      assert.equal(pings(client), 1)
      client.world.advance(2_000)
      client.receive(frame(FrameType.ping, 1, 0, Buffer.alloc(8)))
    }
    client.world.advance(5_000)
    client.receive(responseHeaders(1, false))
    client.world.advance(5_000)
    assert.equal(pings(client), 0)
    assert.equal(response.ends, 0)
  })

  it('asks again in its own time, however long it would have waited for the answer', () => {
    const client = new ClientWorld({ keepAliveTimeMs: 1_000, keepAliveTimeoutMs: 60_000 }).settle()
    client.open()
    for (let round = 0; round < 3; round++) {
      client.world.advance(1_000)
      assert.equal(pings(client), 1)
      client.receive(frame(FrameType.ping, 1, 0, Buffer.alloc(8)))
    }
  })

  it('is quiet while nothing is outstanding', () => {
    const client = new ClientWorld(options).settle()
    client.open()
    client.receive(responseHeaders(1, true))
    client.world.advance(60_000)
    assert.equal(pings(client), 0)
    assert.equal(client.transport.closed, 'open')
  })

  it('finds a silent link by requests that are each given up early', () => {
    const client = new ClientWorld(options).settle()
    for (let at = 0; at < 9; at++) {
      const response = client.open()
      client.world.advance(1_000)
      if (client.transport.closed === 'open') response.stream!.reset()
    }
    assert.equal(client.transport.closed, 'destroyed')
  })
})
