/** Bodies of requests: `Expect: 100-continue`, pauses, and what becomes of a rest that nobody wants. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { responseHead } from '../http/testing/response-head.ts'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient } from './testing/scripted.ts'
import { answer, ok, okText, request } from './testing/simple-answers.ts'

describe('request bodies', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n'

  it('RFC 9110 §10.1.1 Expect: 100-continue is told, and answered by the handler', () => {
    const handler = new RecordingHandler()
    const { connection, send } = scriptedClient(handler)
    send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
    const { head, responder } = handler.requests[0]!
    assert.equal(head.expectsContinue, true)
    responder.sendInformational(100, [])
    assert.equal(connection.take(), 'HTTP/1.1 100 Continue\r\n\r\n')
    send('hello')
    answer(responder, 'a')
    assert.equal(connection.text, okText('a'))
    assert.equal(connection.isEnded, false)
  })

  it('RFC 9110 §10.1.1 a client that was not told to continue may send no body: the connection closes', () => {
    const handler = new RecordingHandler()
    const { connection, send } = scriptedClient(handler)
    send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n')
    answer(handler.requests[0]!.responder, 'no')
    assert.equal(connection.text, okText('no', 'connection: close\r\n'))
    assert.equal(connection.isEnded, true)
  })

  it('answered early: a short rest is dropped and the connection lives on', () => {
    const handler = ok('a')
    const { connection, send } = scriptedClient(handler)
    send(`${post}1234`)
    answer(handler.requests[0]!.responder, 'early')
    assert.equal(connection.take(), okText('early'))
    send(`567890${request}`)
    assert.equal(handler.requests[0]!.body, '1234')
    assert.equal(connection.take(), okText('a'))
  })

  it('RFC 9112 §9.6 answered early: with a long rest the connection closes, and lingers so that the answer is read', () => {
    const handler = new RecordingHandler()
    const { connection, send, scheduler, served, downstream } = scriptedClient(handler)
    send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n')
    answer(handler.requests[0]!.responder, 'early')
    assert.equal(connection.text, okText('early', 'connection: close\r\n'))
    assert.deepEqual([connection.isEnded, connection.isDestroyed], [true, false])
    send('x'.repeat(100_000))
    assert.equal(connection.isDestroyed, false)
    scheduler.advance(4_000)
    assert.equal(connection.isDestroyed, true)
    served.onClose('local')
    assert.equal(downstream.connections, 0)
  })

  it('what a lingering client sends is bounded', () => {
    const handler = ok('a')
    const { connection, send } = scriptedClient(handler)
    send('nonsense\r\n\r\n')
    for (let i = 0; i < 20; i++) send('x'.repeat(100_000))
    assert.equal(connection.isDestroyed, true)
  })

  it('pause stops reading, resume goes on', () => {
    const handler = new RecordingHandler()
    const { connection, send } = scriptedClient(handler)
    send(post)
    handler.requests[0]!.responder.pause()
    assert.equal(connection.isPaused, true)
    handler.requests[0]!.responder.resume()
    assert.equal(connection.isPaused, false)
    handler.requests[0]!.responder.pause()
    send('0123456789')
    answer(handler.requests[0]!.responder, 'a')
    assert.equal(connection.isPaused, false, 'a kept connection is read again')
    send(post)
    send('01234')
    send('5')
    assert.equal(connection.isPaused, false, 'and the next body begins unpaused')
    answer(handler.requests[1]!.responder, 'early')
    send(`6789${request}${'x'.repeat(20)}`)
    assert.equal(connection.isPaused, false)
  })

  it('a malformed chunk is answered 400 when nothing was answered, else the connection breaks', () => {
    for (const isBegun of [false, true]) {
      const handler = new RecordingHandler()
      const { connection, send } = scriptedClient(handler)
      send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n')
      if (isBegun) handler.requests[0]!.responder.sendHead(responseHead(200, [], 'unknown'), false)
      send('nonsense')
      assert.match(handler.requests[0]!.aborted!, /size of a chunk/)
      assert.equal(connection.isDestroyed, isBegun)
      assert.equal(/^HTTP\/1\.1 400 /.test(connection.text), !isBegun)
    }
  })
})
