// Peers that keep to the protocols and want too much of everything: streams, connections, time, memory.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from '../cluster.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { underAttack } from './attack.ts'
import {
  block,
  data,
  ErrorCode,
  envelope,
  frame,
  greeting,
  grpcFields,
  grpcMessage,
  headers,
  kv,
  preface,
  Type,
  uint32,
  unary,
  watchCreate,
  watchPath,
} from './frames.ts'
import { openMany, RawPeer } from './raw-peer.ts'

/** Past these a slow peer is cut off: 10 s to say what it speaks, 20 s for a frame or a head, and some to notice. */
const slowPeersEndMs = 30_000
const bigValues = 20
const bigValueBytes = 1 << 20

const windows = Buffer.concat([greeting([4, 0x7fff_ffff]), frame(Type.windowUpdate, 0, 0, uint32(0x7fff_0000))])

describe('bad input: too much of everything', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, nodes: 1 })
    const peer = await RawPeer.open(cluster.member(0).clientPort)
    peer.send(windows)
    for (let i = 0; i < bigValues; i++) {
      const id = 2 * i + 1
      await peer.sendAll(unary(id, kv.put, kv.putRequest(`big/${i}`, Buffer.alloc(bigValueBytes, i))))
      await peer.until('the value is written', () => peer.finished(id))
    }
    peer.destroy()
  })
  after(() => cluster?.stop())

  it('10,000 requests at once on a connection: each is answered', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peer = await RawPeer.open(port)
      peer.send(windows)
      const requests = Array.from({ length: 10_000 }, (_, i) =>
        i % 2 === 0
          ? unary(2 * i + 1, kv.range, kv.rangeRequest('good'))
          : unary(2 * i + 1, kv.put, kv.putRequest(`many/${i % 100}`, 'x')),
      )
      await peer.sendAll(Buffer.concat(requests))
      const ends = () => peer.frames.filter((one) => one.type === Type.headers && (one.flags & 1) === 1).length
      await peer.until('10,000 answers', () => ends() >= 10_000, 20_000)
      assert.equal(peer.of(Type.reset).length, 0)
      peer.destroy()
    }))

  it('10,000 watch streams on a connection: all created, the connection’s end frees them', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peer = await RawPeer.open(port)
      peer.send(windows)
      for (let i = 0; i < 10_000; i++) {
        peer.send(headers(2 * i + 1, grpcFields(watchPath)), grpcMessage(2 * i + 1, watchCreate(`w${i}`), false))
        if (i % 500 === 0) await delay(1)
      }
      await peer.until('10,000 watchers', () => peer.of(Type.data).length >= 10_000, 20_000)
      peer.destroy()
    }))

  it('10,000 requests that never end, on each of 5 connections: bounded', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peers = await openMany(port, 5)
      for (const peer of peers) {
        peer.send(windows)
        for (let i = 0; i < 10_000; i += 100) {
          const burst = Array.from({ length: 100 }, (_, k) => headers(2 * (i + k) + 1, grpcFields(kv.put)))
          await peer.sendAll(Buffer.concat(burst))
        }
      }
      await delay(500)
      for (const peer of peers) peer.destroy()
    }))

  it('header lists of 60 KB in streams that never end: the largest holders go', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peers = await openMany(port, 4)
      // Without Huffman, so that what is sent is what is held; 4 times 4,000 of them would be 960 MB.
      const fields = [...grpcFields(kv.put), ['x', 'x'.repeat(60_000)] as const]
      const piece = block(fields)
      for (const peer of peers) peer.send(windows)
      for (let i = 0; i < 4_000; i++) {
        const id = 2 * i + 1
        const first = frame(Type.headers, 0, id, piece.subarray(0, 16_000))
        const rest = [16_000, 32_000, 48_000].map((at) =>
          frame(Type.continuation, at === 48_000 ? 4 : 0, id, piece.subarray(at, Math.min(at + 16_000, piece.length))),
        )
        await Promise.all(peers.map((peer) => peer.sendAll(Buffer.concat([first, ...rest]))))
      }
      await delay(200)
      assert.ok(
        peers.some((peer) => peer.ended),
        'one connection at least was closed',
      )
      for (const peer of peers) peer.destroy()
    }))

  it('zero-window readers of big ranges: answers wait or their connections go, and the node stays small', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      // 60 answers of 20 MB each would be 1.2 GB.
      const peers = await openMany(port, 60)
      for (const peer of peers) {
        peer.send(greeting([4, 0]))
        peer.send(unary(1, kv.range, kv.rangeRequest('big/', 'big0')))
        await delay(10)
      }
      const endedCount = (): number => peers.filter((peer) => peer.ended).length
      for (let waitedMs = 0; waitedMs < 8_000 && endedCount() === 0; waitedMs += 100) await delay(100)
      await delay(1_000)
      const ended = endedCount()
      t.diagnostic(`${ended} of 60 connections were closed`)
      assert.ok(ended > 0 && ended < 60)
      for (const peer of peers) peer.destroy()
    }))

  it('readers of big ranges that leave the answers in the kernel: the same', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peers = await openMany(port, 60)
      for (const peer of peers) {
        peer.socket.pause()
        peer.send(windows)
        for (let i = 0; i < 5; i++) peer.send(unary(2 * i + 1, kv.range, kv.rangeRequest('big/', 'big0')))
        await delay(10)
      }
      await delay(1_000)
      for (const peer of peers) peer.destroy()
    }))

  it('unfinished requests over many connections: refused or closed before they fill the node', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      // 40 connections of 50 streams with 900 KB of a message each would be 1.8 GB.
      const peers = await openMany(port, 40)
      const part = Buffer.concat([Buffer.from([0]), uint32(1_000_000), Buffer.alloc(900_000)])
      for (const peer of peers) peer.send(windows)
      for (let i = 0; i < 50; i++) {
        const id = 2 * i + 1
        const frames: Buffer[] = [headers(id, grpcFields(kv.put))]
        for (let at = 0; at < part.length; at += 16_384) frames.push(data(id, part.subarray(at, at + 16_384)))
        const bytes = Buffer.concat(frames)
        await Promise.all(peers.map((peer) => peer.sendAll(bytes)))
      }
      await delay(500)
      const refused = peers.filter((peer) => peer.ended || peer.of(Type.headers).length > 0).length
      t.diagnostic(`${refused} of 40 connections were refused something`)
      assert.ok(refused > 0)
      for (const peer of peers) peer.destroy()
    }))

  it('half-closed connections: what was asked whole is answered, the rest is dropped, and they close', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peers = await openMany(port, 300, { halfOpen: true })
      await Promise.all(
        peers.map(async (peer, at) => {
          peer.send(windows, unary(1, kv.range, kv.rangeRequest('good')))
          // A half request, a half frame, a half preface of the next thing, or a watch that nobody ends.
          if (at % 4 === 0) peer.send(headers(3, grpcFields(kv.put)), data(3, envelope(Buffer.alloc(9)).subarray(0, 8)))
          else if (at % 4 === 1) peer.send(headers(3, grpcFields(kv.put)).subarray(0, 20))
          else if (at % 4 === 2) peer.send(headers(3, grpcFields(watchPath)), grpcMessage(3, watchCreate('w'), false))
          peer.socket.end()
          await peer.untilEnded()
          assert.ok(peer.finished(1), 'the whole request was answered')
          peer.destroy()
        }),
      )
    }))

  it('5,000 idle connections: they may stay, and nobody notices', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peers = await openMany(port, 5_000)
      for (const peer of peers) peer.send(greeting())
      await delay(2_000)
      assert.equal(peers.filter((peer) => peer.ended).length, 0)
      for (const peer of peers) peer.destroy()
    }))

  it('slow-loris peers: each is cut off in time', { timeout: 120_000 }, (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const request = Buffer.from(`POST /health HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n${'x'.repeat(900)}`)
      const scripts: Readonly<Record<string, Buffer>> = {
        'a preface': preface,
        'SETTINGS that never come': Buffer.concat([preface, greeting().subarray(24, 30)]),
        'a frame': Buffer.concat([
          greeting(),
          headers(1, grpcFields(kv.put)),
          frame(Type.data, 0, 1, Buffer.alloc(900)).subarray(0, 800),
        ]),
        'a header block': Buffer.concat([greeting(), frame(Type.headers, 0, 1, block(grpcFields(kv.put)))]),
        'the head of a request': Buffer.from(
          'GET /health HTTP/1.1\r\nhost: x\r\nx-slow: yes, very very very slow indeed',
        ),
        'the body of a request': request,
        silence: Buffer.alloc(0),
      }
      const peers = await openMany(port, 70 * Object.keys(scripts).length, { frames: false })
      const bytes = Object.values(scripts)
      const startMs = Date.now()
      for (let at = 0; Date.now() - startMs < slowPeersEndMs && peers.some((peer) => !peer.ended); at++) {
        for (const [i, peer] of peers.entries()) {
          const script = bytes[i % bytes.length]!
          // All but the last bytes at once, then one in a while.
          const from = Math.max(0, script.length - 25)
          if (!peer.ended && at % 20 === 0) {
            const slow = at / 20
            peer.send(
              at === 0
                ? script.subarray(0, from)
                : script.subarray(from + slow - 1, Math.min(from + slow, script.length - 1)),
            )
          }
        }
        await delay(100)
      }
      const open = peers.flatMap((peer, i) => (peer.ended ? [] : [Object.keys(scripts)[i % bytes.length]]))
      assert.deepEqual([...new Set(open)], [])
      t.diagnostic(`the last was cut off after ${Date.now() - startMs} ms`)
      for (const peer of peers) peer.destroy()
    }),
  )

  it('streams over the announced limit: REFUSED_STREAM', (t) =>
    underAttack(t, cluster.member(0), async (port) => {
      const peer = await RawPeer.open(port)
      peer.send(greeting([4, 0]))
      const fields = block([
        [':method', 'GET'],
        [':scheme', 'http'],
        [':path', '/version'],
        [':authority', 'x'],
      ])
      for (let i = 0; i < 100_100 && !peer.ended; i += 100) {
        await peer.sendAll(
          Buffer.concat(Array.from({ length: 100 }, (_, k) => frame(Type.headers, 5, 2 * (i + k) + 1, fields))),
        )
      }
      await peer.until('a refusal', () => peer.ended || peer.of(Type.reset).length > 0)
      assert.equal(peer.of(Type.reset)[0]?.payload.readUInt32BE(0) ?? ErrorCode.refused, ErrorCode.refused)
      peer.destroy()
    }))
})
