/** What is held for peers ends: output that does not move, peers that are silent, and all connections together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Http2ServerConnection } from './http2-server-connection.ts'
import type { Http2Stream } from './http2-stream.ts'
import { type MemoryHolder, MemoryLedger } from './memory-ledger.ts'
import type { Http2Options } from './options.ts'
import { OutputArena } from './output-arena.ts'
import { FrameType, Http2ErrorCode, Setting } from './protocol.ts'
import { frame, greeting, headersFrame, ManualWorld, MemoryConnection, uint32 } from './testing.ts'

function open(options: Partial<Http2Options> = {}, greet = greeting(), ledger?: MemoryLedger) {
  const world = new ManualWorld()
  const connection = new MemoryConnection()
  const streams: Http2Stream[] = []
  const resets: number[] = []
  const http2 = new Http2ServerConnection({
    connection,
    scheduler: world,
    clock: world,
    arena: new OutputArena(),
    options,
    ...(ledger === undefined ? {} : { ledger }),
    handler: () => ({
      onStream(stream) {
        streams.push(stream)
        return { onData() {}, onReset: () => resets.push(stream.id), onDrain() {} }
      },
      onClosed() {},
    }),
  })
  connection.setHandler(http2)
  http2.onData(greet)
  world.turn()
  connection.takeFrames()
  return { world, connection, streams, resets, http2 }
}

type Fixture = ReturnType<typeof open>

function begin(fixture: Fixture, body: Uint8Array, ends: boolean): Http2Stream {
  fixture.http2.onData(headersFrame(fixture.streams.length * 2 + 1, true))
  const stream = fixture.streams.at(-1)!
  stream.sendHeaders(fixture.http2.encoder.template([[':status', '200']]), false)
  stream.send([body])
  if (ends) stream.end()
  fixture.world.turn()
  return stream
}

const shut = greeting([Setting.initialWindowSize, 0])

test('a transport that takes nothing is closed; one that takes something is not', () => {
  const stuck = open({ sendTimeoutMs: 1000 })
  stuck.connection.isStuck = true
  begin(stuck, Buffer.alloc(1000), false)
  stuck.world.advance(1001)
  assert.equal(stuck.connection.closed, 'destroyed')

  const slow = open({ sendTimeoutMs: 1000 })
  slow.connection.isStuck = true
  begin(slow, Buffer.alloc(1000), false)
  for (let i = 0; i < 10; i++) {
    slow.connection.queuedBytes -= 10
    slow.world.advance(1001)
  }
  assert.equal(slow.connection.closed, 'open')
  slow.world.advance(1001)
  assert.equal(slow.connection.closed, 'destroyed')
})

test('an idle connection with nothing queued stays', () => {
  const fixture = open({ sendTimeoutMs: 1000 })
  begin(fixture, Buffer.alloc(1000), true)
  fixture.world.advance(1_000_000)
  assert.equal(fixture.connection.closed, 'open')
})

test('a complete response without window is reset in one to two times the time; an unfinished one may wait', () => {
  const fixture = open({ sendTimeoutMs: 1000 }, shut)
  const complete = begin(fixture, Buffer.alloc(1000), true)
  const unfinished = begin(fixture, Buffer.alloc(1000), false)
  fixture.world.advance(1001)
  assert.equal(complete.isClosed, false)
  fixture.world.advance(1001)
  assert.deepEqual(fixture.resets, [complete.id])
  const seen = fixture.connection.takeFrames().filter((one) => one.type === FrameType.rstStream)
  assert.deepEqual(
    seen.map((one) => [one.streamId, one.payload.readUInt32BE(0)]),
    [[complete.id, Http2ErrorCode.cancel]],
  )
  fixture.world.advance(100_000)
  assert.equal(unfinished.isClosed, false)
  assert.equal(fixture.connection.closed, 'open')
  assert.equal(fixture.http2.sender.queuedBytes, 1000)
})

test('what waits for a window is given up once the peer sends no more; what needs none goes out', () => {
  const fixture = open({}, shut)
  begin(fixture, Buffer.alloc(1000), true)
  fixture.http2.onEnd()
  fixture.world.turn()
  assert.deepEqual(fixture.resets, [1])
  assert.equal(fixture.http2.openStreams, 0)
  const served = open()
  const stream = begin(served, Buffer.alloc(1000), false)
  served.http2.onEnd()
  served.world.turn()
  assert.deepEqual(served.resets, [])
  stream.send([Buffer.alloc(65_535)])
  served.world.turn()
  assert.deepEqual(served.resets, [1])
})

test('a response that a peer takes byte by byte goes on', () => {
  const fixture = open({ sendTimeoutMs: 1000 }, shut)
  const stream = begin(fixture, Buffer.alloc(20), true)
  for (let i = 0; i < 19; i++) {
    fixture.http2.onData(frame(FrameType.windowUpdate, 0, stream.id, uint32(1)))
    fixture.world.turn()
    fixture.world.advance(900)
  }
  assert.equal(stream.isClosed, false)
  assert.equal(stream.queuedBytes, 1)
})

test('a silent peer is pinged, and dropped when it stays silent', () => {
  const keepAlive = { intervalMs: 1000, timeoutMs: 100 }
  const fixture = open({ keepAlive })
  fixture.world.advance(2001)
  const [ping] = fixture.connection.takeFrames()
  assert.equal(ping?.type, FrameType.ping)
  fixture.http2.onData(frame(FrameType.ping, 1, 0, ping!.payload))
  fixture.world.advance(101)
  assert.equal(fixture.connection.closed, 'open')
  fixture.world.advance(1001)
  assert.equal(fixture.connection.takeFrames()[0]?.type, FrameType.ping)
  fixture.world.advance(101)
  assert.equal(fixture.connection.closed, 'destroyed')
})

test('together connections hold no more than the bound: the one that holds most goes', () => {
  const ledger = new MemoryLedger(100_000)
  const small = open({}, shut, ledger)
  const large = open({}, shut, ledger)
  begin(small, Buffer.alloc(20_000), true)
  begin(large, Buffer.alloc(70_000), true)
  assert.equal(ledger.relinquished, 0)
  begin(small, Buffer.alloc(20_000), true)
  assert.equal(ledger.relinquished, 1)
  assert.equal(small.connection.closed, 'open')
  assert.notEqual(large.connection.closed, 'open')
  const goAway = large.connection.takeFrames().find((one) => one.type === FrameType.goAway)
  assert.equal(goAway?.payload.readUInt32BE(4), Http2ErrorCode.enhanceYourCalm)
  begin(small, Buffer.alloc(20_000), true)
  assert.equal(ledger.relinquished, 1)
})

test('open streams and their header lists count', () => {
  const ledger = new MemoryLedger(1 << 20)
  const fixture = open({}, greeting(), ledger)
  const fields = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', '/'],
    ['x', 'x'.repeat(8_000)],
  ] as const
  let opened = 0
  while (fixture.connection.closed === 'open' && opened < 1000) {
    fixture.http2.onData(headersFrame(opened++ * 2 + 1, false, fields))
    fixture.world.turn()
  }
  assert.ok(opened > 50 && opened < 110, `${opened}`)
  assert.equal(fixture.http2.heldBytes, fixture.connection.queuedBytes)
})

test('what was held and is gone does not count', () => {
  const ledger = new MemoryLedger(100_000)
  const holders = [30_000, 30_000, 30_000].map((heldBytes) => ({ heldBytes, gone: false }))
  const asHolder = holders.map(
    (one): MemoryHolder => ({
      get heldBytes() {
        return one.heldBytes
      },
      relinquish() {
        one.gone = true
      },
    }),
  )
  for (const holder of asHolder) ledger.note(holder)
  holders[0]!.heldBytes = 0
  holders[1]!.heldBytes = 60_000
  ledger.note(asHolder[1]!)
  assert.deepEqual(
    holders.map((one) => one.gone),
    [false, false, false],
  )
  holders[2]!.heldBytes = 40_001
  ledger.note(asHolder[2]!)
  assert.deepEqual(
    holders.map((one) => one.gone),
    [false, true, false],
  )
})
