import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { Prng } from '../../base/index.ts'
import {
  connectRequest,
  connectResponse,
  defaultFrameBytesMax,
  FrameReader,
  frame,
  JuteError,
  JuteReader,
  JuteWriter,
  type OperationName,
  readReplyBody,
  readRequest,
  replyHeader,
  watchEvent,
  writeReply,
  writeRequest,
} from './index.ts'

interface Golden {
  readonly op: OperationName
  readonly request: Buffer
  readonly reply: Buffer
}

const golden: readonly Golden[] = readFileSync(new URL('testdata/golden.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [op, request, reply] = line.split(/\s+/)
    return { op: op as OperationName, request: Buffer.from(request!, 'hex'), reply: Buffer.from(reply!, 'hex') }
  })

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

function written(write: (writer: JuteWriter) => void): Uint8Array {
  const writer = new JuteWriter()
  write(writer)
  return writer.finish()
}

describe("ZooKeeper's wire format: golden bytes of a real server", () => {
  for (const [at, { op, request, reply }] of golden.entries()) {
    it(`${at}: ${op}, the request`, () => {
      const received = readRequest(request)
      assert.equal(received.op, op)
      assert.equal(hex(written((writer) => writeRequest(writer, received.xid, op, received.body))), hex(request))
    })
    it(`${at}: ${op}, the reply`, () => {
      const reader = new JuteReader(reply)
      const header = replyHeader.read(reader)
      const body = header.err === 0 ? readReplyBody(reader, op) : undefined
      assert.equal(reader.remaining, 0)
      if (op !== 'ping' && op !== 'auth') assert.equal(header.xid, readRequest(request).xid)
      assert.equal(hex(written((writer) => writeReply(writer, header, op, body))), hex(reply))
    })
  }

  it('what the replies say', () => {
    const body = (name: OperationName, nth = 0) => {
      const found = golden.filter(({ op }) => op === name)[nth]!
      const reader = new JuteReader(found.reply)
      replyHeader.read(reader)
      return readReplyBody(reader, name)
    }
    assert.deepEqual(body('getChildren'), { children: ['a', 'c'] })
    assert.deepEqual(body('getData'), {
      data: Uint8Array.of(0x31),
      stat: {
        czxid: 17n,
        mzxid: 17n,
        ctime: 1795254522066n,
        mtime: 1795254522066n,
        version: 0,
        cversion: 0,
        aversion: 0,
        ephemeralOwner: 0n,
        dataLength: 1,
        numChildren: 0,
        pzxid: 17n,
      },
    })
    assert.deepEqual(body('multi', 1), [
      { op: 'error', err: 0 },
      { op: 'error', err: -101 },
      { op: 'error', err: -2 },
    ])
  })

  it('the handshake, with and without the byte that old peers leave out', () => {
    const request = Buffer.from(`00000000${'00'.repeat(8)}00000fa0${'00'.repeat(8)}00000010${'00'.repeat(16)}00`, 'hex')
    const read = connectRequest.read(new JuteReader(request))
    assert.deepEqual([read.timeOut, read.sessionId, read.passwd?.length, read.readOnly], [4000, 0n, 16, false])
    assert.equal(hex(frame((writer) => connectRequest.write(writer, read))), `0000002d${hex(request)}`)
    assert.deepEqual(connectRequest.read(new JuteReader(request.subarray(0, -1))), read)
    const answer = Buffer.from('0000000000000fa00100018251f1000100000010888611dafecd6df0d004de9aab1d562a00', 'hex')
    const response = connectResponse.read(new JuteReader(answer))
    assert.deepEqual([response.timeOut, response.sessionId], [4000, 0x0100018251f10001n])
    assert.equal(hex(written((writer) => connectResponse.write(writer, response))), hex(answer))
  })

  it('a watch event', () => {
    const bytes = Buffer.from('ffffffffffffffffffffffff000000000000000100000003000000042f672f66', 'hex')
    const reader = new JuteReader(bytes)
    assert.deepEqual(replyHeader.read(reader), { xid: -1, zxid: -1n, err: 0 })
    assert.deepEqual(watchEvent.read(reader), { type: 1, state: 3, path: '/g/f' })
    reader.finish()
  })
})

describe("ZooKeeper's wire format: bytes that are wrong", () => {
  /** Reads as far as it goes; only a JuteError may end it. */
  function tryAll(bytes: Buffer): void {
    const attempts = [
      () => readRequest(bytes),
      () => connectRequest.read(new JuteReader(bytes)),
      () => watchEvent.read(new JuteReader(bytes)),
      ...golden.map(
        ({ op }) =>
          () =>
            readReplyBody(new JuteReader(bytes), op),
      ),
    ]
    for (const attempt of attempts) {
      try {
        attempt()
      } catch (error) {
        assert.ok(error instanceof JuteError, String(error))
      }
    }
  }

  it('every beginning of every frame is refused, not believed', () => {
    for (const { op, request, reply } of golden)
      for (let length = 0; length < request.length; length++) {
        assert.throws(() => readRequest(request.subarray(0, length)), JuteError, `${op} cut to ${length}`)
        tryAll(reply.subarray(0, Math.min(length, reply.length)))
      }
  })

  it('bytes after the end are refused', () => {
    for (const { request } of golden)
      assert.throws(() => readRequest(Buffer.concat([request, Buffer.of(0)])), JuteError)
  })

  it('flipped and random bytes end in JuteError or in a value', () => {
    const random = new Prng('zookeeper wire')
    for (let round = 0; round < 3000; round++) {
      const { request, reply } = golden[random.below(golden.length)]!
      const bytes = Buffer.from(round % 2 === 0 ? request : reply)
      for (let flips = 1 + random.below(3); flips > 0; flips--) bytes[random.below(bytes.length)] = random.below(256)
      tryAll(bytes)
    }
  })

  it('a count that no frame could hold allocates nothing', () => {
    const bytes = Buffer.from('7fffffff', 'hex')
    assert.throws(() => readReplyBody(new JuteReader(bytes), 'getChildren'), /a vector of 2147483647 elements/)
  })
})

describe('frames', () => {
  it('come whole, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
        (bodies, cuts) => {
          const bytes = Buffer.concat(bodies.map((body) => frame((writer) => writer.raw(body))))
          const found: string[] = []
          const reader = new FrameReader(defaultFrameBytesMax, (body) => found.push(hex(body)))
          for (let at = 0, turn = 0; at < bytes.length; turn++) {
            const length = cuts[turn % cuts.length]!
            reader.push(bytes.subarray(at, at + length))
            at += length
          }
          assert.deepEqual(found, bodies.map(hex))
        },
      ),
    )
  })

  it('of a length that is too great, or negative, are refused', () => {
    for (const head of ['00100000', 'ffffffff']) {
      const reader = new FrameReader(defaultFrameBytesMax, () => assert.fail('no frame'))
      assert.throws(() => reader.push(Buffer.from(head, 'hex')), JuteError)
    }
  })
})
