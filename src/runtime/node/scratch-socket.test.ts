import assert from 'node:assert/strict'
import * as net from 'node:net'
import { test } from 'node:test'
import type { CloseReason, Connection, ConnectionHandler } from '../index.ts'
import { createNodeRuntime } from './index.ts'

/** Notes what a connection reads, as views and as copies made at once. */
class Recorder implements ConnectionHandler {
  readonly views: Uint8Array[] = []
  readonly copies: Buffer[] = []
  bytes = 0
  drains = 0
  closes = 0
  hasEnded = false
  reason: CloseReason | undefined
  /** Called with what was read, as long as it is handed on. */
  onRead: ((bytes: Uint8Array) => void) | undefined = undefined

  onData(bytes: Uint8Array): void {
    this.onRead?.(bytes)
    this.views.push(bytes)
    this.copies.push(Buffer.from(bytes))
    this.bytes += bytes.length
  }

  onDrain(): void {
    this.drains++
  }

  onEnd(): void {
    this.hasEnded = true
  }

  onClose(reason: CloseReason): void {
    this.closes++
    this.reason = reason
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
      await until(() => accepted.every(({ recorder }) => recorder.closes > 0))
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

/** Bytes that tell where they belong. */
function marked(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at < size; at += 4) bytes.writeUInt32LE((seed * 1_000_003 + at) >>> 0, at)
  return bytes
}

for (const sizes of [
  [8 << 20, 64],
  [64, 100, 8 << 20],
  [3 << 20, 3 << 20, 8, 3 << 20],
]) {
  test(`what the kernel does not take at once follows in order, then onDrain, then the end: ${sizes}`, async () => {
    const { ends, close } = await pairs(1, true)
    const { raw, recorder, connection } = ends[0]!
    raw.pause()
    const pieces = sizes.map((size, i) => marked(size, i))
    const took = pieces.map((piece) => connection.write(piece))
    assert.equal(took.includes(false), true)
    assert.ok(connection.queuedBytes > 1 << 20)
    assert.equal(recorder.drains, 0)
    const got: Buffer[] = []
    let bytes = 0
    raw.on('data', (piece: Buffer) => {
      got.push(piece)
      bytes += piece.length
    })
    raw.resume()
    await until(() => recorder.drains === 1)
    assert.equal(connection.queuedBytes, 0)
    // Small ones again, each in time for the next.
    for (let i = 0; i < 20; i++) pieces.push(marked(40, 100 + i))
    for (const piece of pieces.slice(sizes.length)) assert.equal(connection.write(piece), true)
    connection.end()
    connection.write(Buffer.from('too late'))
    await until(() => raw.readableEnded)
    const whole = Buffer.concat(pieces)
    assert.equal(bytes, whole.length)
    assert.ok(Buffer.concat(got).equals(whole))
    assert.equal(recorder.drains, 1)
    await close()
  })
}

test('the end waits for what the kernel has not taken; destroy does not', async () => {
  const { ends, close } = await pairs(2, true)
  for (const [i, { raw, connection, recorder }] of ends.entries()) {
    raw.pause()
    assert.equal(connection.write(marked(8 << 20, i)), false)
    if (i === 0) connection.end()
    else connection.destroy()
    let bytes = 0
    raw.on('data', (piece: Buffer) => (bytes += piece.length)).on('error', () => {})
    raw.resume()
    await until(() => raw.readableEnded || raw.closed)
    if (i === 0) assert.equal(bytes, 8 << 20)
    else {
      assert.ok(bytes < 8 << 20)
      await until(() => recorder.reason === 'local')
      assert.equal(recorder.drains, 0)
    }
  }
  await close()
})

for (const size of [10, 8 << 20]) {
  test(`a peer that is gone: ${size} bytes written to it come to nothing, and the connection closes once`, async () => {
    const { ends, close } = await pairs(1, true)
    const { raw, connection, recorder } = ends[0]!
    raw.pause()
    connection.write(Buffer.alloc(size))
    raw.resetAndDestroy()
    while (recorder.reason === undefined) {
      connection.write(Buffer.alloc(size))
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.equal(recorder.reason, 'reset')
    assert.equal(connection.write(Buffer.alloc(size)), true)
    await close()
    assert.equal(recorder.closes, 1)
  })
}

test('a connection that asked to pause gets nothing until it resumes, and then all', async () => {
  const { ends, close } = await pairs(1, true)
  const { raw, connection, recorder } = ends[0]!
  recorder.onRead = () => connection.pause()
  const whole = marked(1 << 20, 7)
  raw.write(whole)
  await until(() => recorder.views.length === 1)
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(recorder.views.length, 1)
  recorder.onRead = undefined
  connection.resume()
  await until(() => recorder.bytes === whole.length)
  assert.ok(Buffer.concat(recorder.copies).equals(whole))
  raw.end()
  await until(() => recorder.hasEnded)
  await close()
})

test('each of several slow peers gets its own', async () => {
  const { ends, close } = await pairs(3, true)
  const wholes = ends.map((_, i) => marked(6 << 20, i))
  const got = ends.map(() => [] as Buffer[])
  for (const [i, { raw, connection }] of ends.entries()) {
    raw.pause()
    assert.equal(connection.write(wholes[i]!), false)
    raw.on('data', (piece: Buffer) => got[i]!.push(piece))
  }
  for (const { raw } of ends) raw.resume()
  await until(() => ends.every(({ recorder }) => recorder.drains === 1))
  for (const { connection } of ends) connection.end()
  await until(() => ends.every(({ raw }) => raw.readableEnded))
  for (const [i, pieces] of got.entries()) assert.ok(Buffer.concat(pieces).equals(wholes[i]!))
  await close()
})

test('a connection that reads nothing learns from its writes that the peer is gone', async () => {
  const { ends, close } = await pairs(1, true)
  const { raw, connection, recorder } = ends[0]!
  recorder.onRead = () => connection.pause()
  raw.write('x')
  await until(() => recorder.bytes === 1)
  raw.resetAndDestroy()
  while (recorder.reason === undefined) {
    connection.write(Buffer.alloc(10))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(recorder.reason, 'reset')
  assert.match(connection.closeDetail ?? '', /^write E(PIPE|CONNRESET)$/)
  await close()
})

for (const sizes of [[], [12], [8 << 20], [8 << 20, 64]]) {
  test(`reset after end closes at once, and cuts off what waits: ${sizes.join(' and ') || 'nothing written'}`, async () => {
    const { ends, close } = await pairs(1, true)
    const { raw, connection, recorder } = ends[0]!
    let failure: string | undefined
    raw.on('error', (error: NodeJS.ErrnoException) => (failure = error.code)).pause()
    for (const size of sizes) connection.write(marked(size, 1))
    const isCut = connection.queuedBytes > 0
    connection.end()
    connection.reset!()
    await until(() => recorder.closes === 1)
    assert.equal(recorder.reason, 'local')
    raw.resume()
    await until(() => raw.readableEnded || raw.closed)
    assert.equal(failure, isCut ? 'ECONNRESET' : undefined)
    assert.equal(recorder.drains, 0)
    await close()
  })
}

test('no drain comes after the end', async () => {
  const { ends, close } = await pairs(1, true)
  const { raw, connection, recorder } = ends[0]!
  raw.pause()
  assert.equal(connection.write(marked(8 << 20, 1)), false)
  connection.end()
  raw.resume()
  await until(() => raw.readableEnded)
  assert.equal(recorder.drains, 0)
  await close()
})
