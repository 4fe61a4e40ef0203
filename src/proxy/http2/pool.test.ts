/** The pool with a server played by hand: what it bounds, and when it gives up. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Network } from '../../runtime/index.ts'
import { FrameType, ManualWorld, MemoryConnection, Setting, settingsFrame } from '../../wire/http2/testing.ts'
import { responseHeaders } from '../../wire/http2-client/testing.ts'
import type { ProxyUpstreamConfig } from '../config/index.ts'
import type { EndpointPool, UpstreamCall } from '../http/index.ts'
import { testUpstream } from '../http/testing/settings.ts'
import { createHttp2Pool } from './index.ts'

class PoolWorld {
  readonly world = new ManualWorld()
  readonly transports: MemoryConnection[] = []
  readonly heard: string[] = []
  readonly pool: EndpointPool

  constructor(config: Partial<ProxyUpstreamConfig> = {}) {
    const network: Network = {
      listen: () => Promise.reject(new Error('nobody listens here')),
      connect: () => {
        const transport = new MemoryConnection()
        this.transports.push(transport)
        return transport
      },
    }
    const { world } = this
    const upstream = testUpstream(config)
    this.pool = createHttp2Pool({ clock: world, scheduler: world, network, host: 'a', port: 1, config: upstream })
  }

  send(): UpstreamCall {
    const head = { method: 'GET', target: '/', scheme: 'http', authority: 'a', fields: [] } as const
    const outcome = (what: string): void => void this.heard.push(what)
    return this.pool.send(
      { ...head, bodyLength: 0, upgrade: undefined, expectsContinue: false },
      {
        onInformational: () => {},
        onHead: ({ status }) => outcome(String(status)),
        onData: () => {},
        onEnd: () => {},
        onDrain: () => {},
        onFailed: ({ kind, isUnprocessed }) => outcome(`${kind}${isUnprocessed ? ' unprocessed' : ''}`),
      },
    )
  }

  /** The server of the connection `at` sends `bytes`. */
  receive(at: number, ...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.transports[at]!.handler!.onData(piece)
    this.world.turn()
  }

  /** Types of the frames sent on the connection `at` since the last look. */
  sent(at: number): number[] {
    this.world.turn()
    return this.transports[at]!.takeFrames().map(({ type }) => type)
  }

  /** The server's SETTINGS; the preface is forgotten. */
  settle(at: number, ...pairs: readonly (readonly [id: number, value: number])[]): void {
    this.world.turn()
    this.transports[at]!.takeBytes()
    this.receive(at, settingsFrame(...pairs))
  }
}

const settings = testUpstream().settings

describe('an HTTP/2 pool', () => {
  it('calls nobody back inside send, and refuses what passes the queue', () => {
    const circuit = { ...settings.circuit, pendingMax: 2 }
    const pool = new PoolWorld({ settings: { ...settings, circuit } })
    for (let at = 0; at < 3; at++) pool.send()
    assert.deepEqual(pool.heard, [])
    pool.world.turn()
    assert.deepEqual(pool.heard, ['overflow unprocessed'])
    assert.equal(pool.transports.length, 1)
  })

  it('gives up a server that says nothing, and one that cannot be reached', () => {
    const silent = new PoolWorld()
    silent.send()
    silent.world.advance(settings.connectTimeoutMs)
    assert.deepEqual(silent.heard, ['connect-timeout unprocessed'])
    assert.equal(silent.transports[0]!.closed, 'destroyed')
    assert.equal(silent.pool.connections, 0)
    const refusing = new PoolWorld()
    refusing.send()
    refusing.transports[0]!.close('refused')
    assert.deepEqual(refusing.heard, ['connect-refused unprocessed'])
  })

  it('keeps to connectionsMax, and does not dial a server that allows no streams', () => {
    const circuit = { ...settings.circuit, connectionsMax: 2 }
    const bounded = new PoolWorld({ settings: { ...settings, circuit } })
    for (let at = 0; at < 5; at++) bounded.send()
    bounded.settle(0, [Setting.maxConcurrentStreams, 1])
    bounded.settle(1, [Setting.maxConcurrentStreams, 1])
    assert.equal(bounded.transports.length, 2)
    bounded.receive(0, responseHeaders(1, true), responseHeaders(3, true))
    bounded.receive(1, responseHeaders(1, true))
    assert.deepEqual(bounded.heard, ['200', '200', '200'])
    const shut = new PoolWorld()
    for (let at = 0; at < 5; at++) shut.send()
    shut.settle(0, [Setting.maxConcurrentStreams, 0])
    shut.world.turn()
    assert.equal(shut.transports.length, 1)
  })

  it('takes a new connection after requestsPerConnectionMax, and the old one ends with its last answer', () => {
    const pool = new PoolWorld({ requestsPerConnectionMax: 2 })
    for (let at = 0; at < 3; at++) pool.send()
    pool.settle(0)
    pool.settle(1)
    assert.equal(pool.transports.length, 2)
    pool.receive(0, responseHeaders(1, true), responseHeaders(3, true))
    assert.ok(pool.sent(0).includes(FrameType.goAway))
    pool.receive(1, responseHeaders(1, true))
    assert.deepEqual(pool.heard, ['200', '200', '200'])
    assert.equal(pool.pool.connections, 1)
  })

  it('drains: what is under way is answered, then it is empty', () => {
    const pool = new PoolWorld()
    pool.send()
    pool.settle(0)
    pool.pool.drain()
    assert.equal(pool.pool.connections, 1)
    pool.receive(0, responseHeaders(1, true))
    assert.deepEqual(pool.heard, ['200'])
    assert.equal(pool.pool.connections, 0)
  })

  it('forgets calls that are given up before they have a connection', () => {
    const pool = new PoolWorld()
    pool.send().abort()
    pool.send()
    pool.settle(0)
    assert.equal(pool.sent(0).filter((type) => type === FrameType.headers).length, 1)
    pool.receive(0, responseHeaders(1, true))
    assert.deepEqual(pool.heard, ['200'])
  })

  it('looks whether a silent server lives when a request is given up, and leaves it when it does not', () => {
    const pool = new PoolWorld()
    const call = pool.send()
    const other = pool.send()
    pool.settle(0)
    pool.sent(0)
    pool.world.advance(3_000)
    call.abort()
    assert.deepEqual(pool.sent(0), [FrameType.rstStream, FrameType.ping])
    other.abort()
    assert.deepEqual(pool.sent(0), [FrameType.rstStream])
    pool.world.advance(10_000)
    assert.equal(pool.pool.connections, 0)
    pool.send()
    assert.equal(pool.transports.length, 2)
  })
})
