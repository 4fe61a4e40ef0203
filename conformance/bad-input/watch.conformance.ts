// Watchers that never read, while writes go on: nothing piles up for them, and they miss nothing when they read at last.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type Cluster, startCluster } from '../cluster.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { underAttack } from './attack.ts'
import {
  frame,
  greeting,
  grpcFields,
  grpcMessage,
  headers,
  kv,
  Type,
  uint32,
  unary,
  watchCreate,
  watchPath,
} from './frames.ts'
import { openMany, RawPeer } from './raw-peer.ts'

const writes = 2_000
const valueBytes = 16_384
const watchers = 100
/** All that 100 watchers may make the node hold: about 64 KiB of queue and one delivery each, and garbage. */
const growthMiBMax = 400

const allWindows = Buffer.concat([greeting([4, 0x7fff_ffff]), frame(Type.windowUpdate, 0, 0, uint32(0x7fff_0000))])

describe('bad input: watchers that never read', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, nodes: 1 })
  })
  after(() => cluster?.stop())

  const kinds: Readonly<Record<string, Buffer>> = {
    'give no window': greeting([4, 0]),
    'leave everything in the kernel': allWindows,
  }
  for (const [name, start] of Object.entries(kinds)) {
    it(`${watchers} that ${name}: parked, and complete when they read at last`, { timeout: 120_000 }, (t) =>
      underAttack(
        t,
        cluster.member(0),
        async (port) => {
          const prefix = name.slice(0, 4)
          const peers = await openMany(port, watchers)
          for (const peer of peers) {
            peer.send(start, headers(1, grpcFields(watchPath)), grpcMessage(1, watchCreate(`${prefix}/key`), false))
          }
          await delay(300)
          for (const peer of peers) peer.socket.pause()
          const writer = await RawPeer.open(port)
          writer.send(allWindows)
          for (let i = 0; i < writes; i++) {
            const value = Buffer.alloc(valueBytes, i)
            value.writeUInt32BE(i)
            await writer.sendAll(unary(2 * i + 1, kv.put, kv.putRequest(`${prefix}/key`, value)))
            if (i % 50 === 49) await writer.until('writes are answered', () => writer.finished(2 * i + 1))
          }
          writer.destroy()
          const [reader, ...others] = peers
          for (const peer of others) peer.destroy()
          reader!.socket.resume()
          if (start !== allWindows) {
            const more = uint32(0x6fff_0000)
            reader!.send(frame(Type.windowUpdate, 0, 0, more), frame(Type.windowUpdate, 0, 1, more))
          }
          const received = () => reader!.of(Type.data, 1).reduce((sum, one) => sum + one.payload.length, 0)
          await reader!.until('all events', () => received() >= writes * valueBytes, 20_000)
          assert.equal(reader!.ended, false)
          reader!.destroy()
        },
        { growthMiBMax },
      ),
    )
  }

  it('watch streams that ask and never read the answers: not read from either', { timeout: 60_000 }, (t) =>
    underAttack(
      t,
      cluster.member(0),
      async (port) => {
        const peers = await openMany(port, 20)
        const create = grpcMessage(1, watchCreate('unread'), false)
        const many = Buffer.concat(Array.from({ length: 200 }, () => create))
        for (const peer of peers) {
          peer.send(greeting([4, 0]), headers(1, grpcFields(watchPath)))
          peer.socket.pause()
          // The peer's own window of 1 MiB on a stream bounds what can wait; a few times that is its error.
          for (let i = 0; i < 100 && !peer.ended; i++) peer.send(many)
        }
        await delay(1_500)
        for (const peer of peers) peer.destroy()
      },
      { growthMiBMax },
    ),
  )
})
