/** A downstream connection after a 101: octets both ways, each half for itself. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { responseHead } from '../http/testing/response-head.ts'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient } from './testing/scripted.ts'
import { answer, okText, request } from './testing/simple-answers.ts'

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
