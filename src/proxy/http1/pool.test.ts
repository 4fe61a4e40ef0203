/** A pool's connections, with a scripted network and time turned by hand. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AttemptFailure } from '../http/index.ts'
import { testUpstream } from '../http/testing/settings.ts'
import { outgoing, RecordingReceiver } from './testing/recording.ts'
import { scriptedPool } from './testing/scripted.ts'

const request = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'

/** One call whose connection is open. */
function oneCall(over: Parameters<typeof outgoing>[0] = {}, config = testUpstream()) {
  const { pool, network, scheduler } = scriptedPool(config)
  const receiver = new RecordingReceiver()
  const call = pool.send(outgoing(over), receiver)
  const connection = network.made[0]!
  connection.peer.onOpen?.()
  scheduler.settle()
  const receive = (text: string): void => {
    connection.peer.onData(Buffer.from(text, 'latin1'))
    scheduler.settle()
  }
  return { pool, network, scheduler, receiver, call, connection, receive }
}

const malformedHeads: readonly (readonly [name: string, head: string])[] = [
  ['RFC 9112 §6.1 length and encoding', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['RFC 9110 §8.6 two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n'],
  ['RFC 9110 §8.6 two equal lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n'],
  ['RFC 9110 §8.6 bad length', 'HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n'],
  ['RFC 9112 §6.1 encoding in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['RFC 9112 §6.1 unknown coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  ['RFC 9112 §6.1 encoding of a 204', 'HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ['RFC 9110 §8.6 length of a 204', 'HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n'],
  ['RFC 9112 §5.2 folded field', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n'],
  ['RFC 9112 §2.2 LF', 'HTTP/1.1 200 OK\nX: a\n\n'],
  ['RFC 9112 §5.1 space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\n\r\n'],
  ['RFC 9110 §5.5 NUL', 'HTTP/1.1 200 OK\r\nX: a\0\r\n\r\n'],
  ['RFC 9112 §4 no status', 'HTTP/1.1 OK\r\n\r\n'],
  ['RFC 9112 §4 status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['RFC 9110 §15 status below 100', 'HTTP/1.1 099 OK\r\n\r\n'],
  ['RFC 9112 §2.3 version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['RFC 9112 §4 an empty line first', '\r\nHTTP/1.1 200 OK\r\n\r\n'],
  ['RFC 9110 §7.8 an upgrade that was not asked for', 'HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'],
  ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(200_000)}`],
]

describe('requests', () => {
  it('RFC 9112 §3 are written whole at once, with their framing', () => {
    const text = (over: Parameters<typeof outgoing>[0]): string => oneCall(over).connection.text
    const fields = ['x', 'y', 'te', 'trailers']
    assert.equal(text({}), request)
    assert.equal(text({ fields }), 'GET / HTTP/1.1\r\nhost: a\r\nx: y\r\nte: trailers\r\nconnection: te\r\n\r\n')
    assert.equal(text({ method: 'POST' }), 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n')
    assert.equal(
      text({ method: 'POST', bodyLength: 5, expectsContinue: true }),
      'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n',
    )
    assert.equal(
      text({ method: 'POST', bodyLength: 'unknown' }),
      'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n',
    )
    assert.equal(
      text({ upgrade: 'websocket' }),
      'GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n',
    )
  })

  it('heads that come again are written again the same, and others are not taken for them', () => {
    const { pool, network } = scriptedPool()
    const fields = ['x', 'y']
    const texts = ['/', '/', '/', '/b', '/', '/b', '/b', '/'].map((target) => {
      pool.send(outgoing({ target, fields }), new RecordingReceiver())
      return network.made.at(-1)!.text
    })
    const expected = (target: string): string => `GET ${target} HTTP/1.1\r\nhost: a\r\nx: y\r\n\r\n`
    assert.deepEqual(texts, ['/', '/', '/', '/b', '/', '/b', '/b', '/'].map(expected))
  })

  it('bodies: known length, chunked with trailers, never more than announced', () => {
    const known = oneCall({ method: 'PUT', bodyLength: 5 })
    known.connection.take()
    known.call.write(Buffer.from('hello, GET / HTTP/1.1'))
    known.call.end()
    assert.equal(known.connection.take(), 'hello')
    const chunked = oneCall({ method: 'PUT', bodyLength: 'unknown' })
    chunked.connection.take()
    chunked.call.write(Buffer.from('hello'))
    chunked.call.write(Buffer.alloc(0))
    chunked.call.end(['x-sum', '1'])
    assert.equal(chunked.connection.take(), '5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n')
  })

  it('head and body of a turn leave in one write', () => {
    const { pool, network, scheduler } = scriptedPool()
    const call = pool.send(outgoing({ method: 'PUT', bodyLength: 5 }), new RecordingReceiver())
    call.write(Buffer.from('hello'))
    call.end()
    scheduler.settle()
    assert.equal(network.made[0]!.writes, 1)
    assert.match(network.made[0]!.text, /content-length: 5\r\n\r\nhello$/)
  })

  it('write says when to stop, and onDrain when to go on', () => {
    const { call, connection, receiver } = oneCall({ method: 'PUT', bodyLength: 'unknown' })
    connection.hasRoom = false
    assert.equal(call.write(Buffer.alloc(50_000)), false)
    connection.peer.onDrain?.()
    assert.equal(receiver.drains, 1)
  })
})

describe('responses', () => {
  const bodies: readonly (readonly [name: string, text: string, body: string, isKept: boolean])[] = [
    ['§6.2 length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello', true],
    ['§6.3 no body', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', '', true],
    ['§6.3 204', 'HTTP/1.1 204 No Content\r\n\r\n', '', true],
    ['§6.3 304 with a length', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n', '', true],
    ['§7.1 chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n', 'hello', true],
    [
      '§7.1.2 trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nX: 1\r\n\r\n',
      'hello',
      true,
    ],
    ['§9.3 close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello', 'hello', false],
    ['§9.3 HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello', false],
    [
      '§9.3 HTTP/1.0 keep-alive',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello',
      'hello',
      true,
    ],
    ['§4 no reason', 'HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello', 'hello', true],
    ['§11.1 surplus', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n', 'hello', false],
    [
      '§15.2 interim responses',
      'HTTP/1.1 103 Early\r\nx: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      '',
      true,
    ],
  ]
  for (const [name, text, body, isKept] of bodies) {
    it(`RFC 9112 ${name}: the same wherever it is cut`, () => {
      for (let cut = 0; cut < text.length; cut++) {
        const { receiver, receive, connection, pool } = oneCall()
        if (cut > 0) receive(text.slice(0, cut))
        receive(text.slice(cut))
        assert.deepEqual([receiver.body, receiver.isEnded], [body, true], `cut at ${cut}`)
        assert.equal(receiver.failure, undefined)
        assert.deepEqual([connection.isDestroyed, pool.idleConnections], [!isKept, isKept ? 1 : 0], `cut at ${cut}`)
      }
    })
  }

  it('RFC 9112 §6.3 without a length last until the connection ends, but not until it breaks', () => {
    const whole = oneCall()
    whole.receive('HTTP/1.1 200 OK\r\n\r\nhel')
    whole.receive('lo')
    assert.equal(whole.receiver.isEnded, false)
    whole.connection.peer.onEnd?.()
    assert.deepEqual([whole.receiver.body, whole.receiver.isEnded, whole.pool.connections], ['hello', true, 0])
    const broken = oneCall()
    broken.receive('HTTP/1.1 200 OK\r\n\r\nhel')
    broken.connection.peer.onClose('reset')
    assert.equal(broken.receiver.failure?.kind, 'broken-response')
  })

  it('RFC 9110 §9.3.2 to HEAD have no body, but its length', () => {
    const { receiver, receive, pool } = oneCall({ method: 'HEAD' })
    receive('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
    assert.deepEqual([receiver.head!.bodyLength, receiver.isEnded, pool.idleConnections], [5, true, 1])
  })

  it('interim ones are passed on, and bounded', () => {
    const { receiver, receive } = oneCall()
    receive('HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(32))
    assert.equal(receiver.informational.length, 32)
    receive('HTTP/1.1 103 Early Hints\r\n\r\n')
    assert.equal(receiver.failure?.kind, 'malformed-response')
  })

  it('the same head again is the same object; another is not', () => {
    const { pool, network, scheduler } = scriptedPool()
    const heads = ['a', 'a', 'b'].map((value) => {
      const receiver = new RecordingReceiver()
      pool.send(outgoing(), receiver)
      network.made[0]!.peer.onData(Buffer.from(`HTTP/1.1 200 OK\r\nX: ${value}\r\nContent-Length: 0\r\n\r\n`))
      scheduler.settle()
      return receiver.head!
    })
    assert.equal(heads[0], heads[1])
    assert.equal(heads[2]!.get('x'), 'b')
  })

  for (const [name, head] of malformedHeads) {
    it(`${name} is never passed on`, () => {
      for (let cut = 0; cut < Math.min(head.length, 300); cut++) {
        const { receiver, receive, connection, pool } = oneCall()
        if (cut > 0) receive(head.slice(0, cut))
        if (receiver.failure === undefined) receive(head.slice(cut))
        assert.equal(receiver.failure?.kind, 'malformed-response', `cut at ${cut}`)
        assert.deepEqual([receiver.head, connection.isDestroyed, pool.connections], [undefined, true, 0])
      }
    })
  }

  it('a malformed body is a broken response', () => {
    const { receiver, receive, connection } = oneCall()
    receive('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n+5\r\n')
    assert.deepEqual(
      [receiver.body, receiver.failure?.kind, connection.isDestroyed],
      ['hello', 'broken-response', true],
    )
  })

  it('RFC 9112 §9.6 one that comes before the request is sent whole ends the connection after it', () => {
    const { receiver, receive, connection, call } = oneCall({ method: 'PUT', bodyLength: 100 })
    call.write(Buffer.from('part'))
    receive('HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno')
    assert.deepEqual([receiver.head!.status, receiver.body, receiver.isEnded], [413, 'no', true])
    assert.equal(connection.isDestroyed, true)
    assert.equal(call.write(Buffer.from('late')), true)
  })

  it('pause and resume reach the transport; a kept connection is not left paused', () => {
    const { receive, connection, call, pool } = oneCall()
    receive('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe')
    call.pause()
    assert.equal(connection.isPaused, true)
    call.resume()
    assert.equal(connection.isPaused, false)
    call.pause()
    receive('llo')
    assert.deepEqual([connection.isPaused, pool.idleConnections], [false, 1])
    call.pause()
    assert.equal(connection.isPaused, false, 'a call that is over reaches no later one')
  })
})

describe('upgrades', () => {
  it('RFC 9110 §7.8 after the 101 asked for octets go both ways, and each half ends by itself', () => {
    const { receiver, receive, connection, call, pool, scheduler } = oneCall({ upgrade: 'websocket' })
    connection.take()
    receive('HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\nx: y\r\n\r\nraw')
    assert.deepEqual([receiver.head!.status, receiver.head!.fields, receiver.body], [101, ['x', 'y'], 'raw'])
    call.write(Buffer.from('back'))
    scheduler.settle()
    assert.equal(connection.take(), 'back')
    call.end()
    assert.equal(connection.isEnded, true)
    receive('more')
    connection.peer.onEnd?.()
    assert.deepEqual([receiver.body, receiver.isEnded, pool.connections], ['rawmore', true, 0])
    connection.peer.onClose('ended')
    assert.equal(receiver.failure, undefined)
  })
})

describe('failures', () => {
  it('a connection that cannot be made: nothing was processed', () => {
    for (const [reason, kind] of [
      ['refused', 'connect-refused'],
      ['unreachable', 'connect-timeout'],
    ] as const) {
      const { pool, network } = scriptedPool()
      const receiver = new RecordingReceiver()
      pool.send(outgoing({ method: 'POST' }), receiver)
      network.made[0]!.peer.onClose(reason)
      assert.deepEqual([receiver.failure?.kind, receiver.failure?.isUnprocessed], [kind, true])
      assert.equal(pool.connections, 0)
    }
  })

  it('a kept connection that closes before a response: certain only when nothing was handed over', () => {
    const sent = oneCall()
    sent.connection.peer.onEnd?.()
    assert.deepEqual(
      [sent.receiver.failure?.kind, sent.receiver.failure?.isUnprocessed],
      ['closed-before-response', false],
    )
    const { pool, receiver, receive, connection } = oneCall()
    receive('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    assert.equal(receiver.isEnded, true)
    const second = new RecordingReceiver()
    pool.send(outgoing({ method: 'PUT', bodyLength: 5 }), second)
    connection.peer.onClose('reset')
    assert.deepEqual([second.failure?.kind, second.failure?.isUnprocessed], ['closed-before-response', true])
  })

  it('one that closes within a head, after an interim response, or within a body', () => {
    for (const text of [
      'HTTP/1.1 2',
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
    ]) {
      for (const end of ['onEnd', 'onClose'] as const) {
        const { receiver, receive, connection, pool } = oneCall()
        receive(text)
        if (end === 'onEnd') connection.peer.onEnd?.()
        else connection.peer.onClose('reset')
        assert.deepEqual([receiver.failure?.kind, receiver.failure?.isUnprocessed], ['broken-response', false], text)
        assert.equal(pool.connections, 0)
      }
    }
  })

  it('after abort nothing is told, whatever comes', () => {
    const { receiver, receive, connection, call, pool } = oneCall()
    call.abort()
    call.abort()
    receive('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    connection.peer.onClose('local')
    assert.deepEqual([receiver.head, receiver.failure, pool.connections], [undefined, undefined, 0])
  })
})

describe('keeping connections', () => {
  const response = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

  /** `count` calls at once, all answered. */
  function answered(count: number, config = testUpstream()) {
    const made = scriptedPool(config)
    const receivers = [...Array(count)].map(() => new RecordingReceiver())
    for (const receiver of receivers) made.pool.send(outgoing(), receiver)
    for (const connection of made.network.made) connection.peer.onData(Buffer.from(response))
    made.scheduler.settle()
    return made
  }

  it('the one used last is used next, and the others grow idle and close', () => {
    const { pool, network, scheduler } = answered(3, testUpstream({ idleTimeoutMs: 10_000 }))
    assert.deepEqual([pool.connections, pool.idleConnections], [3, 3])
    for (let i = 0; i < 20; i++) {
      pool.send(outgoing(), new RecordingReceiver())
      network.made[2]!.peer.onData(Buffer.from(response))
      scheduler.advance(1_000)
    }
    assert.deepEqual(
      network.made.map(({ isDestroyed }) => isDestroyed),
      [true, true, false],
    )
    scheduler.advance(20_000)
    assert.deepEqual([pool.connections, network.made[2]!.isDestroyed], [0, true])
  })

  it('no more than idleConnectionsMax', () => {
    const { pool } = answered(5, testUpstream({ idleConnectionsMax: 2 }))
    assert.deepEqual([pool.connections, pool.idleConnections], [2, 2])
  })

  it('no longer than requestsPerConnectionMax', () => {
    const { pool, network, scheduler } = answered(1, testUpstream({ requestsPerConnectionMax: 2 }))
    pool.send(outgoing(), new RecordingReceiver())
    network.made[0]!.peer.onData(Buffer.from(response))
    scheduler.settle()
    assert.deepEqual([pool.connections, network.made[0]!.isDestroyed], [0, true])
  })

  it('RFC 9112 §11.1 octets that nobody asked for close an idle one, and so does its end', () => {
    for (const event of ['onData', 'onEnd', 'onClose'] as const) {
      const { pool, network } = answered(2)
      const { peer } = network.made[1]!
      if (event === 'onData') peer.onData(Buffer.from(response))
      else if (event === 'onEnd') peer.onEnd?.()
      else peer.onClose('ended')
      assert.deepEqual([pool.connections, pool.idleConnections], [1, 1])
      pool.send(outgoing(), new RecordingReceiver())
      assert.equal(network.made[0]!.text, request + request)
    }
  })

  it('past connectionsMax calls wait in order, past pendingMax they fail', () => {
    const { pool, network, scheduler } = scriptedPool(testUpstream({ connectionsMax: 1, pendingMax: 2 }))
    const receivers = [...Array(4)].map(() => new RecordingReceiver())
    const calls = receivers.map((receiver, i) =>
      pool.send(outgoing({ method: 'PUT', target: `/${i}`, bodyLength: 5 }), receiver),
    )
    const failureOf = (i: number): AttemptFailure | undefined => receivers[i]!.failure
    assert.equal(failureOf(3), undefined, 'nothing is told within send')
    scheduler.settle()
    assert.deepEqual([failureOf(3)?.kind, failureOf(3)?.isUnprocessed], ['overflow', true])
    for (const call of calls) {
      call.write(Buffer.from('hello'))
      call.end()
    }
    calls[1]!.abort()
    network.made[0]!.peer.onData(Buffer.from(response))
    scheduler.settle()
    assert.equal(network.made.length, 1)
    assert.deepEqual(network.made[0]!.text.match(/PUT \/[0-9]/g), ['PUT /0', 'PUT /2'])
    assert.match(network.made[0]!.text, /hello$/)
    assert.equal(receivers[1]!.failure, undefined)
  })

  it('a waiting call gets a new connection when the busy one breaks', () => {
    const { pool, network, scheduler } = scriptedPool(testUpstream({ connectionsMax: 1 }))
    const first = new RecordingReceiver()
    pool.send(outgoing(), first)
    pool.send(outgoing({ target: '/2' }), new RecordingReceiver())
    network.made[0]!.peer.onOpen?.()
    network.made[0]!.peer.onClose('reset')
    scheduler.settle()
    assert.equal(first.failure?.kind, 'closed-before-response')
    assert.match(network.made[1]!.text, /^GET \/2 /)
    assert.equal(pool.connections, 1)
  })

  it('drain closes the idle at once and the busy after their request', () => {
    const { pool, network, scheduler } = answered(2)
    const receiver = new RecordingReceiver()
    pool.send(outgoing(), receiver)
    pool.drain()
    assert.deepEqual([pool.connections, pool.idleConnections], [1, 0])
    network.made[1]!.peer.onData(Buffer.from(response))
    scheduler.settle()
    assert.deepEqual([receiver.isEnded, pool.connections], [true, 0])
  })
})
