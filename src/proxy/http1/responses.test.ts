/** What a downstream connection writes for an answer: framing, reuse, flow, and when it counts as finished. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { responseHead } from '../http/testing/response-head.ts'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient } from './testing/scripted.ts'
import { answer, ok, okText, request } from './testing/simple-answers.ts'

describe('responses', () => {
  it('leave whole in one write, and the connection lives on', () => {
    const handler = ok('hello')
    const { connection, send, downstream } = scriptedClient(handler)
    for (let i = 1; i <= 4; i++) {
      send(request)
      assert.equal(connection.take(), okText('hello'))
      assert.equal(connection.writes, i)
      assert.equal(handler.requests[i - 1]!.isFinished, true)
    }
    assert.equal(connection.isEnded, false)
    assert.deepEqual([downstream.connections, downstream.idleConnections], [1, 1])
  })

  it('the same octets again are the same head, with its memo', () => {
    const handler = ok('')
    const { send } = scriptedClient(handler)
    send(request)
    handler.requests[0]!.head.memo = 'noted'
    send(request)
    send(request.replace('a', 'b'))
    assert.equal(handler.requests[1]!.head, handler.requests[0]!.head)
    assert.equal(handler.requests[2]!.head.memo, undefined)
    assert.equal(handler.requests[2]!.head.authority, 'b')
  })

  it('RFC 9112 §7.1 of unknown length are chunked, with trailers, and never end by an empty piece', () => {
    const handler = new RecordingHandler(({ responder }) => {
      responder.sendHead(responseHead(200, [], 'unknown'), false)
      responder.sendData(Buffer.from('hello'))
      responder.sendData(Buffer.alloc(0))
      responder.sendData(Buffer.from('x'.repeat(17)))
      responder.sendEnd(['x-sum', '1'])
    })
    const { connection, send } = scriptedClient(handler)
    send(request)
    const body = `5\r\nhello\r\n11\r\n${'x'.repeat(17)}\r\n0\r\nx-sum: 1\r\n\r\n`
    assert.equal(connection.text, `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${body}`)
    assert.equal(handler.requests[0]!.responder.bytesSent, connection.text.length)
  })

  it('RFC 9112 §6.3 of unknown length to HTTP/1.0 end with the connection', () => {
    const handler = new RecordingHandler(({ responder }) => {
      responder.sendHead(responseHead(200, [], 'unknown'), false)
      responder.sendData(Buffer.from('hello'))
      responder.sendEnd()
    })
    const { connection, send } = scriptedClient(handler)
    send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert.equal(connection.text, 'HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello')
    assert.equal(connection.isEnded, true)
  })

  it('RFC 9112 §9.3 HTTP/1.0 closes unless it asks otherwise, HTTP/1.1 the other way round', () => {
    const closes = (text: string): readonly [string, boolean] => {
      const { connection, send } = scriptedClient(ok('a'))
      send(text)
      return [connection.text, connection.isEnded]
    }
    assert.deepEqual(closes('GET / HTTP/1.0\r\n\r\n'), [okText('a', 'connection: close\r\n'), true])
    assert.deepEqual(closes('GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n'), [
      okText('a', 'connection: keep-alive\r\n'),
      false,
    ])
    assert.deepEqual(closes('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), [
      okText('a', 'connection: close\r\n'),
      true,
    ])
  })

  it('RFC 9110 §9.3.2, §15 HEAD, 204 and 304 have no body, whatever is sent', () => {
    const bodiless = (method: string, status: number, length: number | 'unknown'): string => {
      const { connection, send } = scriptedClient(
        new RecordingHandler(({ responder }) => {
          responder.sendHead(responseHead(status, [], length), false)
          responder.sendData(Buffer.from('hello'))
          responder.sendEnd()
        }),
      )
      send(request.replace('GET', method))
      assert.equal(connection.isEnded, false)
      return connection.text
    }
    assert.equal(bodiless('HEAD', 200, 5), 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n')
    assert.equal(bodiless('HEAD', 200, 'unknown'), 'HTTP/1.1 200 OK\r\n\r\n')
    assert.equal(bodiless('GET', 204, 5), 'HTTP/1.1 204 No Content\r\n\r\n')
    assert.equal(bodiless('GET', 304, 5), 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n')
  })

  it('with the same fields are told apart by status, length and framing', () => {
    const fields = ['x', 'y']
    const kinds = [
      [200, 5],
      [200, 5],
      [200, 5],
      [200, 4],
      [404, 4],
      [200, 'unknown'],
      [200, 5],
    ] as const
    const expected = kinds.map(([status, length]) => {
      const framing = length === 'unknown' ? 'transfer-encoding: chunked' : `content-length: ${length}`
      const body = length === 'unknown' ? '0\r\n\r\n' : 'x'.repeat(length)
      return `HTTP/1.1 ${status === 200 ? '200 OK' : '404 Not Found'}\r\nx: y\r\n${framing}\r\n\r\n${body}`
    })
    let turn = 0
    const handler = new RecordingHandler(({ responder }) => {
      const [status, length] = kinds[turn++]!
      responder.sendHead(responseHead(status, fields, length), false)
      if (length !== 'unknown') responder.sendData(Buffer.from('x'.repeat(length)))
      responder.sendEnd()
    })
    const { connection, send } = scriptedClient(handler)
    for (const text of expected) {
      send(request)
      assert.equal(connection.take(), text)
    }
  })

  it('of a known length are never longer, and end the connection when shorter', () => {
    const sent = (text: string) => {
      const { connection, send } = scriptedClient(
        new RecordingHandler(({ responder }) => {
          responder.sendHead(responseHead(200, [], 5), false)
          responder.sendData(Buffer.from(text))
          responder.sendEnd()
        }),
      )
      send(request)
      return connection
    }
    assert.match(sent('hello, HTTP/1.1 200 OK').text, /\r\n\r\nhello$/)
    assert.equal(sent('hell').isDestroyed, true)
  })

  it('pieces larger than a buffer pass whole and in order, whatever their sizes', () => {
    const sizes = [1, 5_000, 20_000, 3, 100_000, 4_095, 4_096, 70_000]
    const pieces = sizes.map((size, i) => Buffer.alloc(size, 97 + i))
    for (const length of ['unknown', sizes.reduce((a, b) => a + b)] as const) {
      const { connection, send } = scriptedClient(
        new RecordingHandler(({ responder }) => {
          responder.sendHead(responseHead(200, [], length), false)
          for (const piece of pieces) responder.sendData(piece)
          responder.sendEnd()
        }),
      )
      send(request)
      const body = connection.text.slice(connection.text.indexOf('\r\n\r\n') + 4)
      const plain = length === 'unknown' ? body.replace(/(?:^|\r\n)[0-9a-f]+\r\n/g, '').replace(/\r\n$/, '') : body
      assert.equal(plain === Buffer.concat(pieces).toString(), true)
    }
  })

  it('a call after the end reaches nobody', () => {
    const handler = ok('a')
    const { connection, send } = scriptedClient(handler)
    send(request)
    const { responder } = handler.requests[0]!
    send(request)
    connection.take()
    answer(responder, 'late')
    responder.abort()
    assert.equal(connection.text, '')
    assert.equal(connection.isDestroyed, false)
  })

  it('sendData says when to stop, and onDrain when to go on', () => {
    const handler = new RecordingHandler()
    const { connection, send, served } = scriptedClient(handler)
    send(request)
    const { responder } = handler.requests[0]!
    responder.sendHead(responseHead(200, [], 'unknown'), false)
    connection.hasRoom = false
    assert.equal(responder.sendData(Buffer.alloc(50_000)), false)
    assert.equal(handler.requests[0]!.drains, 0)
    connection.hasRoom = true
    served.onDrain?.()
    assert.equal(handler.requests[0]!.drains, 1)
    assert.equal(responder.sendData(Buffer.from('x')), true)
  })

  it('a response is finished only when the transport has it all', () => {
    const handler = new RecordingHandler()
    const { connection, send, served, scheduler } = scriptedClient(handler)
    send(request)
    connection.queuedBytes = 10
    answer(handler.requests[0]!.responder, 'a')
    assert.equal(handler.requests[0]!.isFinished, false)
    connection.queuedBytes = 0
    scheduler.advance(1_000)
    assert.equal(handler.requests[0]!.isFinished, true)
    send(request)
    connection.queuedBytes = 10
    answer(handler.requests[1]!.responder, 'a')
    served.onClose('reset')
    assert.match(handler.requests[1]!.aborted!, /whole response/)
  })

  it('abort of a response closes; nothing is told', () => {
    for (const isBegun of [false, true]) {
      const handler = new RecordingHandler()
      const { connection, send, served, downstream } = scriptedClient(handler)
      send(request)
      if (isBegun) handler.requests[0]!.responder.sendHead(responseHead(200, [], 5), false)
      handler.requests[0]!.responder.abort()
      assert.equal(connection.isDestroyed, true)
      served.onClose('local')
      assert.deepEqual([handler.requests[0]!.aborted, handler.requests[0]!.isFinished], [undefined, false])
      assert.deepEqual([downstream.connections, downstream.idleConnections], [0, 0])
    }
  })
})
