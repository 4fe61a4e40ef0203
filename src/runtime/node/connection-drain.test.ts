/** When `onDrain` comes, where a write past the stream and those of the stream end one after the other. */
import assert from 'node:assert/strict'
import * as net from 'node:net'
import { test } from 'node:test'
import type { Connection } from '../index.ts'
import { highWaterMarkBytes, NodeConnection, socketOptions } from './connection.ts'
import { ScratchSocket } from './scratch-socket.ts'

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A connection whose socket the test makes late, by what it says of a write past the stream, and by how the stream's own go. */
async function onConnection(
  work: (connection: Connection, socket: ScratchSocket, drains: number[], written: () => void) => Promise<void>,
): Promise<void> {
  const server = net.createServer((raw) => raw.resume().on('error', () => {}))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = new ScratchSocket(socketOptions)
  const connection = new NodeConnection(socket, '', true)
  connection.open({ host: '127.0.0.1', port: (server.address() as net.AddressInfo).port }, 10_000)
  /** What was queued at each. */
  const drains: number[] = []
  await new Promise<void>((onOpen) => {
    connection.setHandler({
      onOpen,
      onData() {},
      onDrain: () => drains.push(connection.queuedBytes),
      onClose: () => server.close(),
    })
  })
  const written = (): void => {
    socket.pendingBytes = 0
    connection.wrotePending()
  }
  try {
    await work(connection, socket, drains, written)
  } finally {
    connection.destroy()
  }
}

test('after a write that was refused more is written: the drain comes when that has left', () =>
  onConnection(async (connection, socket, drains, written) => {
    const underWay: (() => void)[] = []
    const _write = (_bytes: unknown, _encoding: unknown, done: () => void): unknown => underWay.push(done)
    Object.assign(socket, { _write, _writev: undefined })
    socket.pendingBytes = 2 * highWaterMarkBytes
    assert.equal(connection.write(Buffer.alloc(100)), false)
    written()
    assert.equal(connection.write(Buffer.alloc(50)), true)
    assert.equal(connection.queuedBytes, 150)
    for (const left of [50, 0]) {
      assert.deepEqual(drains, [])
      underWay.pop()!()
      await nextTurn()
      assert.equal(connection.queuedBytes, left)
    }
    assert.deepEqual(drains, [0])
  }))

test('a drain that is told before the end of a write past the stream is known comes again with it', () =>
  onConnection(async (connection, socket, drains, written) => {
    socket.pendingBytes = 10
    connection.tellDrain!()
    await nextTurn()
    assert.deepEqual(drains, [10])
    written()
    assert.deepEqual(drains, [10, 0])
    written()
    assert.deepEqual(drains, [10, 0])
  }))
