/** Who ends a downstream connection, when, and what its exchange is told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient } from './testing/scripted.ts'
import { answer, ok, okText, request } from './testing/simple-answers.ts'

describe('the end of a connection', () => {
  it('a client that closes early aborts the exchange, once', () => {
    const handler = new RecordingHandler()
    const { send, served, downstream } = scriptedClient(handler)
    send(request)
    assert.equal(downstream.idleConnections, 0)
    served.onClose('reset')
    assert.match(handler.requests[0]!.aborted!, /client closed/)
    assert.deepEqual([downstream.connections, downstream.idleConnections], [0, 0])
  })

  it('RFC 9112 §9.6 a client that closes its half still gets its answers', () => {
    const handler = new RecordingHandler()
    const { connection, send, served } = scriptedClient(handler)
    send(request + request)
    served.onEnd?.()
    answer(handler.requests[0]!.responder, 'a')
    answer(handler.requests[1]!.responder, 'b')
    assert.equal(connection.text, okText('a') + okText('b'))
    assert.equal(connection.isEnded, true)
  })

  it('RFC 9112 §8 an end within a body or a head is no request', () => {
    const handler = new RecordingHandler()
    const first = scriptedClient(handler)
    first.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello')
    first.served.onEnd?.()
    assert.match(handler.requests[0]!.aborted!, /within the body/)
    assert.equal(first.connection.isDestroyed, true)
    const second = scriptedClient(handler)
    second.send('GET / HTTP/1.1\r\nHo')
    second.served.onEnd?.()
    assert.match(second.connection.text, /^HTTP\/1\.1 400 /)
  })

  it('shutdown: idle connections close soon, others with their answer, late ones by force', () => {
    const idle = scriptedClient(ok('a'))
    idle.send(request)
    idle.scheduler.advance(10_000)
    idle.served.shutdown(5_000)
    idle.scheduler.advance(490)
    assert.equal(idle.connection.isEnded, false)
    idle.scheduler.advance(500)
    assert.equal(idle.connection.isEnded, true)

    // Its request was on the way already.
    const crossing = scriptedClient(ok('a'))
    crossing.send(request)
    crossing.served.shutdown(5_000)
    crossing.send(request)
    assert.equal(crossing.connection.text, okText('a') + okText('a', 'connection: close\r\n'))
    assert.equal(crossing.connection.isEnded, true)

    const hasty = scriptedClient(ok('a'))
    hasty.served.shutdown(0)
    assert.equal(hasty.connection.isEnded, true)

    const handler = new RecordingHandler()
    const busy = scriptedClient(handler)
    busy.send(request)
    busy.served.shutdown(5_000)
    assert.equal(busy.connection.isEnded, false)
    answer(handler.requests[0]!.responder, 'a')
    assert.equal(busy.connection.text, okText('a', 'connection: close\r\n'))
    assert.equal(busy.connection.isEnded, true)

    const late = scriptedClient(handler)
    late.send(request)
    late.served.shutdown(5_000)
    late.scheduler.advance(4_900)
    assert.equal(late.connection.isDestroyed, false)
    late.scheduler.advance(1_000)
    assert.equal(late.connection.isDestroyed, true)
    assert.match(handler.requests[1]!.aborted!, /time to finish/)
  })
})
