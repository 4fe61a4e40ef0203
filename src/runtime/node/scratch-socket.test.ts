import assert from 'node:assert/strict'
import * as net from 'node:net'
import { test } from 'node:test'
import type { Connection, ConnectionHandler } from '../index.ts'
import { createNodeRuntime } from './index.ts'

/** Notes what a connection reads, as views and as copies made at once. */
class Recorder implements ConnectionHandler {
  readonly views: Uint8Array[] = []
  readonly copies: Buffer[] = []
  bytes = 0
  isClosed = false
  /** Called with what was read, as long as it is handed on. */
  onRead: ((bytes: Uint8Array) => void) | undefined = undefined

  onData(bytes: Uint8Array): void {
    this.onRead?.(bytes)
    this.views.push(bytes)
    this.copies.push(Buffer.from(bytes))
    this.bytes += bytes.length
  }

  onClose(): void {
    this.isClosed = true
  }
}

const host = '127.0.0.1'

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!isTrue()) {
    assert.ok(performance.now() < deadline, 'not within ten seconds')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

interface End {
  readonly raw: net.Socket
  readonly recorder: Recorder
  readonly connection: Connection
}

async function pairs(
  count: number,
  packsReads: boolean,
): Promise<{ readonly ends: readonly End[]; close(): Promise<void> }> {
  const { network } = createNodeRuntime({ logLevel: 'error', packsReads })
  const accepted: { recorder: Recorder; connection: Connection }[] = []
  const listener = await network.listen({ host, port: 0 }, (connection) => {
    const recorder = new Recorder()
    connection.setHandler(recorder)
    accepted.push({ recorder, connection })
  })
  const ends: End[] = []
  for (let i = 0; i < count; i++) {
    const raw = net.connect(listener.address)
    await until(() => accepted.length > i)
    ends.push({ raw, ...accepted[i]! })
  }
  return {
    ends,
    close: async () => {
      for (const { raw, connection } of ends) {
        raw.destroy()
        connection.destroy()
      }
      await until(() => accepted.every(({ recorder }) => recorder.isClosed))
      await listener.close()
    },
  }
}

for (const packsReads of [false, true]) {
  test(`what was read stays as it was while others read, ${packsReads ? 'packed' : 'apart'}`, async () => {
    const { ends, close } = await pairs(3, packsReads)
    for (let round = 0; round < 12; round++) {
      const size = [1, 100, 9_000, 70_000][round % 4]!
      for (const [i, { raw, recorder }] of ends.entries()) {
        const goal = recorder.bytes + size
        raw.write(Buffer.alloc(size, 16 * round + i + 1))
        // One after the other, so that each read follows one of another socket.
        await until(() => recorder.bytes === goal)
      }
    }
    for (const { recorder } of ends) {
      for (const [i, view] of recorder.views.entries()) assert.deepEqual(view, recorder.copies[i])
    }
    await close()
  })
}

test('memory given back is read into again, and no other is', async () => {
  const { ends, close } = await pairs(1, true)
  const { raw, recorder, connection } = ends[0]!
  const read = async (): Promise<Uint8Array> => {
    const before = recorder.views.length
    raw.write(Buffer.alloc(20_000, before))
    await until(() => recorder.views.length > before)
    return recorder.views.at(-1)!
  }
  const kept = await read()
  recorder.onRead = (bytes) => {
    connection.giveBack!(bytes)
    // Twice is once.
    connection.giveBack!(bytes)
  }
  const first = await read()
  recorder.onRead = undefined
  const second = await read()
  assert.equal(second.buffer, first.buffer)
  assert.notEqual(second.buffer, kept.buffer)
  const third = await read()
  assert.notEqual(third.buffer, second.buffer)
  // Too late: somebody may keep a view by now. Nor anything that was not read.
  connection.giveBack!(third)
  connection.giveBack!(Buffer.alloc(20_480))
  recorder.onRead = (bytes) => connection.giveBack!(bytes.subarray(1))
  const fourth = await read()
  recorder.onRead = undefined
  const fifth = await read()
  assert.equal(new Set([second, third, fourth, fifth].map(({ buffer }) => buffer)).size, 4)
  await close()
})

test('reads that are not packed have memory of their own, of their own size', async () => {
  const { ends, close } = await pairs(1, false)
  const { raw, recorder } = ends[0]!
  raw.write('a few bytes')
  await until(() => recorder.bytes === 11)
  assert.equal(recorder.views[0]!.buffer.byteLength, 11)
  await close()
})

test('writeBoth keeps the order among writes, to a reader that is slow at first', async () => {
  const { ends, close } = await pairs(1, true)
  const { raw, connection } = ends[0]!
  const expected: Buffer[] = []
  for (let i = 0; i < 40; i++) {
    const [one, first, second] = [10, 20, 200_000].map((size, j) => Buffer.alloc(size, 3 * i + j))
    connection.write(one!)
    connection.writeBoth!(first!, second!)
    expected.push(one!, first!, second!)
  }
  assert.ok(connection.queuedBytes > 0, 'more than the operating system takes')
  const whole = Buffer.concat(expected)
  const got: Buffer[] = []
  let bytes = 0
  raw.on('data', (piece: Buffer) => {
    got.push(piece)
    bytes += piece.length
  })
  await until(() => bytes === whole.length)
  assert.ok(Buffer.concat(got).equals(whole))
  assert.equal(connection.queuedBytes, 0)
  await close()
})
