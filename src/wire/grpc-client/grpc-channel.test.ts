import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { GrpcStatusCode } from '../grpc/index.ts'
import {
  call,
  echoPath,
  echoStreamPath,
  failPath,
  openChannel,
  reached,
  silentPath,
  startServer,
  Transcript,
} from './testing.ts'

const text = (value: string): Buffer => Buffer.from(value)

describe('a channel to our own server', () => {
  it('answers unary calls, also those made while it connects', async (t) => {
    const { address } = await startServer(t)
    const channel = openChannel(t, address)
    assert.equal(channel.state, 'connecting')
    const early = await call(channel, echoPath, text('early'))
    assert.ok(early.ok)
    assert.equal(Buffer.from(early.message).toString(), 'early')
    assert.equal(channel.state, 'ready')
    const replies = await Promise.all(
      Array.from({ length: 500 }, (_, at) => call(channel, echoPath, text(`n${at}`), { timeoutMs: 30_000 })),
    )
    assert.deepEqual(
      replies.map((reply) => (reply.ok ? Buffer.from(reply.message).toString() : reply.message)),
      replies.map((_, at) => `n${at}`),
    )
  })

  it('carries large messages both ways, through many windows', async (t) => {
    const { address } = await startServer(t, undefined, { requestBytesMax: 64 << 20 })
    const channel = openChannel(t, address)
    const large = Buffer.alloc(20 << 20, 'ab')
    large.writeUInt32BE(123_456, 9 << 20)
    const replies = await Promise.all([call(channel, echoPath, large), call(channel, echoPath, text('small'))])
    assert.ok(replies[0].ok && large.equals(replies[0].message))
    assert.ok(replies[1].ok)
    assert.ok((await call(channel, echoPath, new Uint8Array(0))).ok)
  })

  it('tells a failure of the server with its message', async (t) => {
    const { address } = await startServer(t)
    const reply = await call(openChannel(t, address), failPath, text(''))
    assert.ok(!reply.ok)
    assert.equal(reply.status, GrpcStatusCode.failedPrecondition)
    assert.equal(reply.message, 'no: 100 % “no”')
    assert.deepEqual([reply.origin, reply.processed], ['server', true])
    assert.equal(reply.metadata.get('grpc-status'), '9')
  })

  it('ends a call at its deadline, and when it is cancelled; never inside the call', async (t) => {
    const { address, server } = await startServer(t)
    const channel = openChannel(t, address)
    await reached(channel, 'ready')
    const late = await call(channel, silentPath, text('x'), { timeoutMs: 20 })
    assert.ok(!late.ok && late.status === GrpcStatusCode.deadlineExceeded && late.origin === 'local' && late.processed)
    let told = 0
    await new Promise<void>((resolve) => {
      const cancel = channel.unary(silentPath, text('x'), {}, (reply) => {
        told++
        assert.ok(!reply.ok && reply.status === GrpcStatusCode.cancelled)
        resolve()
      })
      cancel()
      cancel()
      assert.equal(told, 0)
    })
    assert.ok((await call(channel, echoPath, text('still fine'))).ok)
    assert.equal(told, 1)
    assert.ok(server.streamsStarted >= 3)
  })

  it('streams in both directions, and begins before it is connected', async (t) => {
    const { address } = await startServer(t)
    const channel = openChannel(t, address)
    const transcript = new Transcript()
    const stream = channel.stream(echoStreamPath, {}, transcript)
    stream.send(text('one'))
    stream.send(text('two'))
    await transcript.until(() => transcript.messages.length === 2)
    stream.send(Buffer.alloc(1 << 20, 'z'))
    stream.end()
    await transcript.until(() => transcript.ends.length > 0)
    assert.deepEqual(
      transcript.messages.map((message) => message.length),
      [3, 3, 1 << 20],
    )
    assert.equal(transcript.messages[1]!.toString(), 'two')
    assert.equal(transcript.ends[0]!.status, GrpcStatusCode.ok)
  })
})
