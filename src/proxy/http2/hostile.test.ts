/** Arbitrary bytes and frames from either side never throw, and never leave an exchange without an end. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Network } from '../../runtime/index.ts'
import {
  dataFrame,
  frame,
  greeting,
  headersFrame,
  literalBlock,
  ManualWorld,
  MemoryConnection,
  settingsFrame,
} from '../../wire/http2/testing.ts'
import type { AttemptFailure, RequestHandler } from '../http/index.ts'
import { responseHead } from '../http/testing/response-head.ts'
import { testClient, testLimits, testUpstream } from '../http/testing/settings.ts'
import { createHttp2Downstream, createHttp2Pool } from './index.ts'

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })

/** Mostly frames that begin well. */
const requestBlocks = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'POST', 'POST', 'HEAD', 'CONNECT', 'G T'),
    path: fc.constantFrom('/', '/', '/', '/a', '*', 'x', '/ b', '/#'),
    extra: fc.constantFrom(['x-a', '1'], ['host', 'other'], ['content-length', '3'], ['cookie', 'a=b'], ['te', 'gzip']),
  })
  .map(({ method, path, extra }) =>
    literalBlock([
      [':method', method],
      [':scheme', 'http'],
      [':path', path],
      [':authority', 'a'],
      [extra[0]!, extra[1]!],
    ]),
  )
const responseBlocks = fc
  .record({
    status: fc.constantFrom('200', '200', '200', '204', '103', '101', '500', 'abc', '304'),
    extra: fc.constantFrom(['x-a', '1'], ['content-length', '3'], ['content-length', '0'], ['grpc-status', '0']),
  })
  .map(({ status, extra }) =>
    literalBlock([
      [':status', status],
      [extra[0]!, extra[1]!],
    ]),
  )

function frames(blocks: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const ids = fc.constantFrom(1, 1, 1, 3, 3, 5, 7)
  const types = fc.integer({ min: 0, max: 11 })
  const any = fc
    .tuple(types, fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 8 }), bytes(20))
    .map(([type, flags, id, payload]) => frame(type, flags, id, payload))
  const headers = fc
    .tuple(fc.constantFrom(0x4, 0x5), ids, blocks)
    .map(([flags, id, block]) => frame(1, flags, id, block))
  const data = fc.tuple(ids, bytes(6), fc.boolean()).map(([id, payload, end]) => dataFrame(id, payload, end))
  return fc.oneof(
    { weight: 2, arbitrary: any },
    { weight: 10, arbitrary: headers },
    { weight: 10, arbitrary: data },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((noise) => Buffer.from(noise)) },
  )
}

/** What a client does to a proxy whose handler echoes, and how many requests it began and ended. */
function playClient(pieces: readonly Uint8Array[]): { began: number; ended: number; transport: MemoryConnection } {
  const world = new ManualWorld()
  const transport = new MemoryConnection()
  let began = 0
  let ended = 0
  const handler: RequestHandler = {
    onRequest: (head, responder) => {
      began++
      let over = false
      const end = (): void => {
        assert.ok(!over, 'an end comes once')
        over = true
        ended++
      }
      responder.sendHead(responseHead(200, [], 'unknown'), head.bodyLength === 0)
      return {
        onData: (piece) => {
          assert.ok(!over, 'nothing comes after the end')
          if (!responder.sendData(piece)) responder.pause()
          if (piece.length === 5) responder.pause()
        },
        onEnd: (trailers) => responder.sendEnd(trailers),
        onDrain: () => responder.resume(),
        onAborted: end,
        onFinished: end,
      }
    },
    onRefused: (_client, status) => assert.ok([400, 405, 431].includes(status)),
  }
  const downstream = createHttp2Downstream({ clock: world, scheduler: world, handler, limits: testLimits })
  const served = downstream.accept(transport, testClient, greeting())
  for (const piece of pieces) {
    served.onData(piece)
    world.turn()
  }
  served.onClose('reset')
  world.turn()
  assert.equal(downstream.connections, 0)
  return { began, ended, transport }
}

/** What a server does to three requests: the ends they came to. */
function playServer(pieces: readonly Uint8Array[]): string[] {
  const world = new ManualWorld()
  const transports: MemoryConnection[] = []
  const network: Network = {
    listen: () => Promise.reject(new Error('nobody listens here')),
    connect: () => {
      const transport = new MemoryConnection()
      transports.push(transport)
      return transport
    },
  }
  const config = testUpstream()
  const pool = createHttp2Pool({ clock: world, scheduler: world, network, host: 'a', port: 1, config })
  const ends: string[] = []
  for (const method of ['GET', 'HEAD', 'POST']) {
    const at = ends.push('') - 1
    const end = (what: string): void => {
      assert.equal(ends[at], '', 'an end comes once')
      ends[at] = what
    }
    const alive = (): void => assert.equal(ends[at], '', 'nothing comes after the end')
    const call = pool.send(
      {
        method,
        target: '/',
        scheme: 'http',
        authority: 'a',
        fields: [],
        bodyLength: method === 'POST' ? 'unknown' : 0,
        upgrade: undefined,
        expectsContinue: false,
      },
      {
        onInformational: alive,
        onHead: (_head, whole) => {
          alive()
          if (whole) end('whole')
        },
        onData: alive,
        onEnd: () => end('end'),
        onDrain: () => {},
        onFailed: (failure: AttemptFailure) => end(failure.kind),
      },
    )
    if (method === 'POST') call.write(Buffer.alloc(100_000))
  }
  transports[0]!.handler!.onData(settingsFrame())
  world.turn()
  for (const piece of pieces) {
    transports[0]!.handler!.onData(piece)
    world.turn()
  }
  for (const transport of transports) transport.close('reset')
  world.turn()
  return ends
}

describe('hostile peers', () => {
  it('clients: every request that begins has one end', () => {
    let began = 0
    fc.assert(
      fc.property(fc.array(frames(requestBlocks), { maxLength: 25 }), (pieces) => {
        const played = playClient([headersFrame(1, false), ...pieces])
        assert.equal(played.ended, played.began)
        began += played.began
      }),
      { numRuns: 3_000 },
    )
    assert.ok(began > 3_100, `the frames get somewhere: ${began}`)
  })

  it('servers: every request has one end', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.array(frames(responseBlocks), { maxLength: 25 }), (pieces) => {
        for (const end of playServer(pieces)) {
          assert.notEqual(end, '')
          seen.add(end)
        }
      }),
      { numRuns: 3_000 },
    )
    const ends = ['broken-response', 'closed-before-response', 'end', 'malformed-response', 'whole']
    assert.deepEqual([...seen].filter((end) => !end.startsWith('connect')).sort(), ends)
  })

  it('a client that opens and resets streams without end is sent away', () => {
    const pieces: Buffer[] = []
    for (let id = 1; id < 20_001; id += 2) {
      const fields: [string, string][] = [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', '/'],
        [':authority', 'user@'],
      ]
      pieces.push(headersFrame(id, false, fields), frame(3, 0, id, Buffer.from([0, 0, 0, 8])))
    }
    const { transport } = playClient([Buffer.concat(pieces)])
    const [goAway] = transport.takeFrames().filter(({ type }) => type === 7)
    assert.equal(goAway?.payload.readUInt32BE(4), 11)
  })
})
