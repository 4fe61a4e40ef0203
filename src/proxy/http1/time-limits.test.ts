/** Every time limit of a downstream connection, on a clock turned by hand. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { responseHead } from '../http/testing/response-head.ts'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient } from './testing/scripted.ts'
import { answer, ok, okText, request } from './testing/simple-answers.ts'

describe('time limits', () => {
  it('RFC 9110 §15.5.9 a head that does not come is 408, however slowly it drips', () => {
    const { connection, send, scheduler } = scriptedClient(ok('a'))
    send('GET / HTTP/1.1\r\n')
    for (let i = 0; i < 9; i++) {
      scheduler.advance(1_000)
      send('x')
    }
    assert.equal(connection.text, '')
    scheduler.advance(2_000)
    assert.match(connection.text, /^HTTP\/1\.1 408 /)
  })

  it('an idle connection closes without a word', () => {
    const { connection, send, scheduler } = scriptedClient(ok('a'))
    send(request)
    connection.take()
    scheduler.advance(59_000)
    assert.equal(connection.isEnded, false)
    scheduler.advance(2_000)
    assert.equal(connection.isEnded, true)
    assert.equal(connection.text, '')
  })

  it('a body that does not come is 408, but not while the handler holds it back', () => {
    const handler = new RecordingHandler()
    const { connection, send, scheduler } = scriptedClient(handler)
    send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n')
    const { responder } = handler.requests[0]!
    responder.pause()
    scheduler.advance(60_000)
    assert.equal(connection.text, '')
    responder.resume()
    scheduler.advance(9_000)
    send('x')
    scheduler.advance(9_000)
    assert.equal(connection.text, '')
    scheduler.advance(2_000)
    assert.match(connection.text, /^HTTP\/1\.1 408 /)
    assert.match(handler.requests[0]!.aborted!, /body/)
  })

  it('a response that is not taken ends the exchange', () => {
    const handler = new RecordingHandler()
    const { connection, send, scheduler } = scriptedClient(handler)
    send(request)
    const { responder } = handler.requests[0]!
    responder.sendHead(responseHead(200, [], 'unknown'), false)
    for (let i = 1; i <= 5; i++) {
      connection.queuedBytes = 100 - i
      scheduler.advance(8_000)
    }
    assert.equal(handler.requests[0]!.aborted, undefined)
    scheduler.advance(4_000)
    assert.match(handler.requests[0]!.aborted!, /did not take/)
    assert.equal(connection.isDestroyed, true)
  })

  it('nor may a client sit on the rest of a response that is complete', () => {
    const handler = new RecordingHandler()
    const { connection, send, scheduler } = scriptedClient(handler)
    connection.queuedBytes = 100
    send(request)
    answer(handler.requests[0]!.responder, 'a')
    scheduler.advance(8_000)
    assert.equal(connection.isDestroyed, false)
    scheduler.advance(4_000)
    assert.equal(connection.isDestroyed, true)
  })

  it('waiting for the handler takes as long as it likes', () => {
    const handler = new RecordingHandler()
    const { connection, send, scheduler } = scriptedClient(handler)
    send(request)
    scheduler.advance(1_000_000)
    answer(handler.requests[0]!.responder, 'a')
    assert.equal(connection.text, okText('a'))
  })
})
