/** A downstream connection's life, with a scripted transport and time turned by hand. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Responder } from '../http/index.ts'
import { RecordingHandler, responseHead, scriptedClient, testLimits } from './testing.ts'

const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = (text: string) => new RecordingHandler(({ responder }) => answer(responder, text))

function answer(responder: Responder, text: string): void {
  responder.sendHead(responseHead(200, ['x', 'y'], text.length), false)
  responder.sendData(Buffer.from(text))
  responder.sendEnd()
}

const okText = (text: string, extra = ''): string =>
  `HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: ${text.length}\r\n${extra}\r\n${text}`

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
    const { connection, send } = scriptedClient(ok('a'), { ...testLimits, requestsPerConnectionMax: 2 })
    send(request.repeat(3))
    assert.equal(connection.text, okText('a') + okText('a', 'connection: close\r\n'))
    assert.equal(connection.isEnded, true)
  })
})

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

describe('upgrades', () => {
  const upgrade = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'

  it('RFC 9110 §7.8 after a 101 octets go both ways, and each half ends by itself', () => {
    const handler = new RecordingHandler()
    const { connection, send, served, scheduler, downstream } = scriptedClient(handler)
    send(`${upgrade}early`)
    const { responder } = handler.requests[0]!
    responder.sendHead(responseHead(101, ['x', 'y'], 0), false)
    assert.equal(responder.isUpgraded, true)
    assert.equal(
      connection.take(),
      'HTTP/1.1 101 Switching Protocols\r\nx: y\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    )
    scheduler.settle()
    send(' and later')
    assert.equal(handler.requests[0]!.body, 'early and later')
    responder.sendData(Buffer.from('raw'))
    scheduler.settle()
    assert.equal(connection.take(), 'raw')
    served.onEnd?.()
    assert.equal(connection.isEnded, false)
    responder.sendData(Buffer.from('last'))
    responder.sendEnd()
    assert.equal(connection.take(), 'last')
    assert.equal(connection.isEnded, true)
    assert.equal(handler.requests[0]!.isFinished, true)
    served.onClose('ended')
    assert.deepEqual([downstream.connections, downstream.idleConnections], [0, 0])
  })

  it('a 101 that was not asked for closes', () => {
    const handler = new RecordingHandler()
    const { connection, send } = scriptedClient(handler)
    send(request)
    handler.requests[0]!.responder.sendHead(responseHead(101, [], 0), false)
    assert.equal(connection.isDestroyed, true)
    assert.equal(connection.text, '')
  })

  it('a refused upgrade is an ordinary response', () => {
    const handler = new RecordingHandler()
    const { connection, send } = scriptedClient(handler)
    send(upgrade)
    answer(handler.requests[0]!.responder, 'no')
    send(request)
    assert.equal(connection.text, okText('no'))
    assert.equal(handler.requests.length, 2)
  })
})
