// The port between nodes, of a real cluster of three: garbage, slow and false greetings, damaged frames. The members'
// own connections live on or come back, and the cluster serves throughout.
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { skipWithoutSubject } from '../subject.ts'
import { underAttack } from './attack.ts'
import { openMany, RawPeer } from './raw-peer.ts'

const helloBytes = 44
const raw = { frames: false, halfOpen: true }

describe('bad input: the peer port', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: 'synod', nodes: 3 })
  })
  after(() => cluster?.stop())

  it('garbage: refused in words, closed', { timeout: 60_000 }, (t) =>
    underAttack(t, cluster.member(0), async () => {
      const port = peerPort(cluster.member(0))
      const kinds = [
        Buffer.alloc(100, 0x41),
        Buffer.from('GET / HTTP/1.1\r\nhost: x\r\n\r\n'.padEnd(60)),
        Buffer.alloc(1 << 20, 7),
      ]
      for (let round = 0; round < 100; round++) {
        const peer = await RawPeer.open(port, raw)
        peer.send(kinds[round % kinds.length]!)
        await peer.untilEnded()
        if (round % kinds.length < 2) assert.match(peer.bytes.toString(), /^protocol: /)
        peer.destroy()
      }
    }),
  )

  it('1,000 connections that never greet: members are heard all the same', { timeout: 120_000 }, (t) =>
    underAttack(
      t,
      cluster.member(0),
      async () => {
        const ports = cluster.members.map(peerPort)
        const peers = (await Promise.all(ports.map((port) => openMany(port, 333, raw)))).flat()
        const flood = setInterval(() => {
          for (const port of ports) {
            for (let i = 0; i < 20; i++) {
              RawPeer.open(port, raw).then(
                (peer) => peers.push(peer),
                () => {},
              )
            }
          }
        }, 50)
        try {
          for (const peer of peers) peer.send(Buffer.from('SYN'))
          // A member that comes back must be heard by the others, and hear them.
          const restarted = cluster.member(1)
          await restarted.crash()
          restarted.start()
          await restarted.ready(8_000)
          await cluster.ready(8_000)
        } finally {
          clearInterval(flood)
        }
        await delay(6_000)
        assert.equal(peers.filter((peer) => !peer.ended).length, 0, 'all were closed')
        for (const peer of peers) peer.destroy()
      },
      // The restart of a member may be that of the leader.
      { slowestMsMax: 8_000, leaderMayDie: true },
    ),
  )

  it('frames that are damaged, after a true greeting', { timeout: 120_000 }, (t) =>
    underAttack(
      t,
      cluster.member(0),
      async () => {
        const target = cluster.member(2)
        const hello = await overhearHello(target)
        const crc = (bytes: Buffer): Buffer => Buffer.concat([u32(bytes.length), u32(crc32c(bytes)), bytes])
        const frames: Readonly<Record<string, readonly [Buffer, RegExp]>> = {
          'a length over the limit': [Buffer.concat([u32(0xffff_ffff), u32(0)]), /over the limit/],
          'a checksum that is not its body’s': [Buffer.concat([u32(4), u32(1), Buffer.alloc(4)]), /checksum/],
          'a body that ends too early': [crc(Buffer.from([1, 0, 0])), /malformed/],
          'a message longer than its frame': [crc(Buffer.concat([Buffer.from([1]), u32(1), u32(99)])), /malformed/],
          'an unknown kind': [crc(Buffer.concat([Buffer.from([250]), u32(1), u32(3), Buffer.alloc(3)])), /^/],
          'an unknown group': [crc(Buffer.concat([Buffer.from([0]), u32(77), u32(3), Buffer.alloc(3)])), /^/],
          'noise in a sound frame, of every kind': [
            Buffer.concat(
              Array.from({ length: 256 }, (_, kind) =>
                crc(Buffer.concat([Buffer.from([kind]), u32(1), u32(5), Buffer.from([kind, 255, 3, 7, 9])])),
              ),
            ),
            /^/,
          ],
        }
        for (const [name, [bytes, words]] of Object.entries(frames)) {
          const peer = await RawPeer.open(peerPort(target), raw)
          peer.send(hello, bytes)
          peer.socket.end()
          await peer.untilEnded()
          assert.match(peer.bytes.toString(), words, name)
          peer.destroy()
        }
        const huge = await RawPeer.open(peerPort(target), raw)
        // Announces 100 MB and sends 20: held for a member, freed at its end.
        await huge.sendAll(Buffer.concat([hello, u32(100 << 20), u32(0), Buffer.alloc(20 << 20)]))
        await delay(200)
        huge.destroy()
        const changed = Buffer.from(hello)
        changed[20] = changed[20]! ^ 1
        const damaged = await RawPeer.open(peerPort(target), raw)
        damaged.send(changed)
        await damaged.untilEnded()
        assert.match(damaged.bytes.toString(), /^protocol: the greeting is damaged/)
        damaged.destroy()
        assert.ok(target.running, target.log().slice(-2_000))
        await target.ready(10_000)
      },
      { slowestMsMax: 8_000 },
    ),
  )
})

function peerPort(member: Member): number {
  return Number(new URL(member.peerUrl).port)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** RFC 3720 appendix B.4, bit by bit. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 1 ? 0x82f6_3b78 : 0)
  }
  return (crc ^ 0xffff_ffff) >>> 0
}

/** Takes the place of `member` for a moment, hears how another member greets it, and lets it come back. */
async function overhearHello(member: Member): Promise<Buffer> {
  await member.crash()
  const sockets = new Set<Socket>()
  const server = createServer()
  const hello = await new Promise<Buffer>((resolve) => {
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      let bytes = Buffer.alloc(0)
      socket.on('data', (piece: Buffer) => {
        bytes = Buffer.concat([bytes, piece])
        if (bytes.length >= helloBytes) resolve(bytes.subarray(0, helloBytes))
      })
    })
    server.listen(peerPort(member), '127.0.0.1')
  })
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
  member.start()
  await member.ready()
  return hello
}
