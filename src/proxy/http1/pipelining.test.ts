/** Requests sent ahead of their answers, and how many of them a connection takes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient, tightLimits } from './testing/scripted.ts'
import { answer, ok, okText, request } from './testing/simple-answers.ts'

describe('pipelining', () => {
  it('RFC 9112 §9.3.2 requests sent ahead are answered in order, one after the other, in one write', () => {
    const handler = ok('a')
    const { connection, send } = scriptedClient(handler)
    send(request.repeat(5))
    assert.equal(connection.text, okText('a').repeat(5))
    assert.equal(connection.writes, 1)
    assert.equal(handler.requests.filter(({ isFinished }) => isFinished).length, 5)
  })

  it('the next begins when the one before is answered; what waits is bounded by not reading', () => {
    const handler = new RecordingHandler()
    const { connection, send } = scriptedClient(handler)
    send(request + request)
    assert.equal(handler.requests.length, 1)
    assert.equal(connection.isPaused, false)
    send(request.repeat(1_000))
    assert.equal(connection.isPaused, true)
    for (let i = 0; i < 1_002; i++) answer(handler.requests[i]!.responder, `${i}`)
    assert.equal(handler.requests.length, 1_002)
    assert.equal(connection.isPaused, false)
    const bodies = connection.text.split('HTTP/1.1 200 OK').map((part) => part.split('\r\n\r\n')[1])
    assert.deepEqual(bodies.slice(1), [...Array(1_002).keys()].map(String))
  })

  it('a client that does not read is not served further', () => {
    const handler = ok('a')
    const { connection, send, served, scheduler } = scriptedClient(handler)
    connection.hasRoom = false
    send(request)
    send(request)
    assert.equal(handler.requests.length, 1)
    assert.equal(connection.isPaused, true)
    connection.hasRoom = true
    served.onDrain?.()
    scheduler.settle()
    assert.equal(handler.requests.length, 2)
    assert.equal(connection.isPaused, false)
  })

  it('nothing after the last request of a connection is served', () => {
    const handler = ok('a')
    const { connection, send } = scriptedClient(handler)
    send(`GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${request}`)
    assert.equal(handler.requests.length, 1)
    assert.equal(connection.isEnded, true)
  })

  it('requestsPerConnectionMax closes after the last, and says so', () => {
    const { connection, send } = scriptedClient(ok('a'), { ...tightLimits, requestsPerConnectionMax: 2 })
    send(request.repeat(3))
    assert.equal(connection.text, okText('a') + okText('a', 'connection: close\r\n'))
    assert.equal(connection.isEnded, true)
  })
})
