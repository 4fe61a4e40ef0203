/** The connections of endpoints that leave, and of clients that are closed: none stays. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as http2 from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import {
  type EndpointAddress,
  openUpstream,
  type UpstreamSettings,
  upstreamSettingsDefault,
} from '../../traffic/upstream/index.ts'
import { closeClient, createClient } from '../index.ts'
import { failureOf } from '../testing/failure-of.ts'
import { orders } from '../testing/orders-service.ts'
import { until } from '../testing/until.ts'

interface Peer {
  readonly address: EndpointAddress
  readonly sessions: Set<http2.ServerHttp2Session>
  /** Requests that were not answered. */
  readonly held: http2.ServerHttp2Stream[]
}

const answer = Buffer.from([0, 0, 0, 0, 0])

function finish(stream: http2.ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(answer)
}

/** Answers at once, or holds what asks for `GetOrder`. */
async function peer(t: TestContext, id: string): Promise<Peer> {
  const sessions = new Set<http2.ServerHttp2Session>()
  const held: http2.ServerHttp2Stream[] = []
  const server = http2.createServer()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    if (headers[':path']?.endsWith('GetOrder')) held.push(stream)
    else finish(stream)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const address = { id, host: '127.0.0.1', port, weight: 1, priority: 0, zone: '', metadata: {} }
  return { address, sessions, held }
}

function settings(...peers: readonly Peer[]): UpstreamSettings {
  const endpoints = peers.map(({ address }) => address)
  return { ...upstreamSettingsDefault, name: 'orders', sources: [{ type: 'static', endpoints }] }
}

describe('the connections of a client', () => {
  it('to an endpoint that left close with its last call, others stay', async (t) => {
    const [a, b] = [await peer(t, 'a'), await peer(t, 'b')]
    const upstream = openUpstream(settings(a, b), createNodeRuntime({ logLevel: 'error' }))
    await using client = createClient(orders, { target: upstream })
    for (let at = 0; at < 4; at++) await client.placeOrder({})
    assert.deepEqual([a.sessions.size, b.sessions.size], [1, 1])
    const waiting = [client.getOrder({}), client.getOrder({})]
    await until(() => a.held.length === 1 && b.held.length === 1, 'a call at each')
    upstream.reconfigure(settings(b))
    for (let at = 0; at < 4; at++) await client.placeOrder({})
    assert.equal(a.sessions.size, 1)
    for (const { held } of [a, b]) finish(held[0]!)
    await Promise.all(waiting)
    await until(() => a.sessions.size === 0, 'the connection to the one that left is closed')
    assert.equal(b.sessions.size, 1)
    // The same name at another place is another endpoint.
    const moved = { ...(await peer(t, 'b')) }
    upstream.reconfigure(settings(moved))
    await client.placeOrder({})
    await until(() => b.sessions.size === 0 && moved.sessions.size === 1, 'it moved')
    upstream.close()
    await until(() => moved.sessions.size === 0, 'all close with the upstream')
    assert.equal((await failureOf(client.placeOrder({}))).code, 'UNAVAILABLE')
  })

  it('all close with it, and it opens none after that', async (t) => {
    const [a, b] = [await peer(t, 'a'), await peer(t, 'b')]
    const upstream = openUpstream(settings(a, b), createNodeRuntime({ logLevel: 'error' }))
    t.after(() => upstream.close())
    const client = createClient(orders, { target: upstream })
    const calls = Array.from({ length: 6 }, () => failureOf(client.getOrder({}, { waitForReady: true })))
    await until(() => a.held.length + b.held.length === 6, 'the calls are there')
    await closeClient(client)
    for (const { code } of await Promise.all(calls)) assert.equal(code, 'UNAVAILABLE')
    await until(() => a.sessions.size + b.sessions.size === 0, 'they close')
    assert.equal(a.held.length + b.held.length, 6)
    assert.equal((await failureOf(client.placeOrder({}))).code, 'CANCELLED')
    assert.equal(
      upstream.endpoints.reduce((sum, { active }) => sum + active, 0),
      0,
    )
  })
})
