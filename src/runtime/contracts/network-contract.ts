import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes, utf8Bytes } from '../../base/index.ts'
import { type Address, type CloseReason, type Connection, ListenError, type Listener, type Network } from '../index.ts'
import { type ContractWorld, deferred } from './world.ts'

/** One network seen from a listening and a connecting place, which may be the same. */
export interface NetworkSubject {
  readonly server: Network
  readonly client: Network
  /** Where the server may listen and the client finds it. */
  readonly host: string
  /** An address where nobody listens. */
  readonly deadAddress: Address
}

/** What every {@link Network} does. */
export function describeNetworkContract(name: string, world: ContractWorld<NetworkSubject>): void {
  const test = (title: string, body: (subject: NetworkSubject) => Promise<void>): void => {
    it(title, () => world.run(body))
  }
  describe(`${name}: the Network contract`, () => {
    describeListening(test)
    describeStreams(test)
    describeClosing(test)
  })
}

type DefineTest = (title: string, body: (subject: NetworkSubject) => Promise<void>) => void

function describeListening(test: DefineTest): void {
  test('port 0 gives a real port, which nobody else may take until it is closed', async (subject) => {
    const listener = await subject.server.listen({ host: subject.host, port: 0 }, () => {})
    assert.ok(listener.address.port > 0)
    await assert.rejects(
      subject.server.listen(listener.address, () => {}),
      listenFailsWith('ADDRESS_IN_USE'),
    )
    await listener.close()
    await listener.close()
    await (await subject.server.listen(listener.address, () => {})).close()
  })

  test('an address of another machine is refused', async (subject) => {
    const address = { host: '192.0.2.1', port: 0 }
    await assert.rejects(
      subject.server.listen(address, () => {}),
      listenFailsWith('ADDRESS_NOT_AVAILABLE'),
    )
  })

  test('nobody listening: refused, and onOpen never comes', async (subject) => {
    const end = observe(subject.client.connect(subject.deadAddress))
    assert.equal(await end.closed, 'refused')
    assert.equal(end.opened, false)
  })

  test('closing a listener leaves accepted connections alone', async (subject) => {
    const pair = await connectedPair(subject)
    await pair.listener.close()
    pair.client.connection.write(utf8Bytes('still here'))
    assert.equal(await pair.server.received(10), 'still here')
    assert.equal(await observe(subject.client.connect(pair.listener.address)).closed, 'refused')
    pair.client.connection.destroy()
    pair.server.connection.destroy()
  })

  test('an accepted connection that gets no handler is dropped', async (subject) => {
    const listener = await subject.server.listen({ host: subject.host, port: 0 }, () => {})
    const end = observe(subject.client.connect(listener.address), { endWithPeer: true })
    assert.ok(['ended', 'reset'].includes(await end.closed))
    await listener.close()
  })
}

function describeStreams(test: DefineTest): void {
  test('bytes arrive whole and in order, both ways, also those written before the connection is open', async (subject) => {
    const listening = deferred<Observed>()
    const listener = await subject.server.listen({ host: subject.host, port: 0 }, (connection) =>
      listening.resolve(observe(connection)),
    )
    const client = observe(subject.client.connect(listener.address))
    client.connection.write(utf8Bytes('early '))
    client.connection.write(utf8Bytes('bird'))
    const server = await listening.promise
    assert.equal(await server.received(10), 'early bird')
    server.connection.write(utf8Bytes('worm'))
    assert.equal(await client.received(4), 'worm')
    assert.equal(client.opened, true)
    assert.equal(server.opened, false, 'an accepted connection is open from the start')
    client.connection.destroy()
    server.connection.destroy()
    await listener.close()
  })

  test('a paused reader slows the writer down; write says so, and onDrain says when to go on', async (subject) => {
    const pair = await connectedPair(subject)
    pair.server.connection.pause()
    const chunk = new Uint8Array(256 * 1024).fill(7)
    let written = 0
    // Bounded: the buffers of any transport are far smaller than this.
    while (written < 256 && pair.client.connection.write(chunk)) written++
    written++
    assert.ok(written < 256, 'write returned false')
    assert.ok(pair.client.connection.queuedBytes > 0)
    assert.equal(pair.client.drains, 0)
    pair.server.connection.resume()
    await pair.server.received(written * chunk.length)
    await pair.client.drained
    assert.equal(pair.client.connection.queuedBytes, 0)
    pair.client.connection.destroy()
    pair.server.connection.destroy()
    await pair.listener.close()
  })

  test('many small writes and one large one keep their order', async (subject) => {
    const pair = await connectedPair(subject)
    const parts = Array.from({ length: 500 }, (_, i) => utf8Bytes(`${i};`))
    parts.splice(250, 0, new Uint8Array(300_000).fill(46))
    for (const part of parts) pair.client.connection.write(part)
    const expected = Buffer.from(concatBytes(parts)).toString('utf8')
    assert.equal(await pair.server.received(expected.length), expected)
    pair.client.connection.destroy()
    pair.server.connection.destroy()
    await pair.listener.close()
  })
}

function describeClosing(test: DefineTest): void {
  test('end sends what is queued, then half-closes; both ended is "ended" on both sides', async (subject) => {
    const pair = await connectedPair(subject)
    pair.client.connection.write(utf8Bytes('last words'))
    pair.client.connection.end()
    await pair.server.ended
    assert.equal(await pair.server.received(10), 'last words')
    pair.server.connection.write(utf8Bytes('heard'))
    assert.equal(await pair.client.received(5), 'heard')
    pair.server.connection.end()
    assert.equal(await pair.client.closed, 'ended')
    assert.equal(await pair.server.closed, 'ended')
    await pair.listener.close()
  })

  test('destroy closes locally, in a later turn, and the peer notices', async (subject) => {
    const pair = await connectedPair(subject, { endWithPeer: true })
    pair.client.connection.destroy()
    assert.equal(pair.client.closes, 0, 'not within the call')
    assert.equal(await pair.client.closed, 'local')
    assert.ok(['ended', 'reset'].includes(await pair.server.closed))
    await pair.listener.close()
  })

  test('after close every method does nothing, and onClose came once', async (subject) => {
    const pair = await connectedPair(subject, { endWithPeer: true })
    const { connection } = pair.client
    connection.destroy()
    await pair.client.closed
    connection.destroy()
    connection.write(utf8Bytes('x'))
    connection.end()
    connection.pause()
    connection.resume()
    await pair.server.closed
    assert.equal(pair.client.closes, 1)
    assert.equal(connection.queuedBytes, 0)
    await pair.listener.close()
  })

  test('destroy before open is "local", and writes after end do nothing', async (subject) => {
    const pair = await connectedPair(subject, { endWithPeer: true })
    const early = observe(subject.client.connect(pair.listener.address))
    early.connection.destroy()
    assert.equal(await early.closed, 'local')
    assert.equal(early.opened, false)
    pair.client.connection.end()
    pair.client.connection.write(utf8Bytes('too late'))
    assert.equal(await pair.client.closed, 'ended')
    assert.equal(pair.server.text(), '')
    await pair.listener.close()
  })
}

interface Observed {
  readonly connection: Connection
  readonly opened: boolean
  readonly drains: number
  readonly closes: number
  readonly ended: Promise<void>
  readonly drained: Promise<void>
  readonly closed: Promise<CloseReason>
  text(): string
  /** All that arrived, once it is `length` bytes. */
  received(length: number): Promise<string>
}

function observe(connection: Connection, options: { endWithPeer?: boolean } = {}): Observed {
  const ended = deferred<void>()
  const drained = deferred<void>()
  const closed = deferred<CloseReason>()
  const opened = deferred<void>()
  const seen = { opened: false, drains: 0, closes: 0, chunks: [] as Uint8Array[], bytes: 0 }
  let awaited = { length: Number.POSITIVE_INFINITY, arrived: deferred<void>() }
  connection.setHandler({
    onOpen() {
      seen.opened = true
      opened.resolve()
    },
    onData(bytes) {
      assert.equal(seen.closes, 0, 'nothing comes after onClose')
      seen.chunks.push(bytes)
      seen.bytes += bytes.length
      if (seen.bytes >= awaited.length) awaited.arrived.resolve()
    },
    onEnd() {
      ended.resolve()
      if (options.endWithPeer) connection.end()
    },
    onDrain() {
      seen.drains++
      drained.resolve()
    },
    onClose(reason) {
      seen.closes++
      closed.resolve(reason)
    },
  })
  const text = (): string => Buffer.from(concatBytes(seen.chunks)).toString('utf8')
  return {
    connection,
    get opened() {
      return seen.opened
    },
    get drains() {
      return seen.drains
    },
    get closes() {
      return seen.closes
    },
    ended: ended.promise,
    drained: drained.promise,
    closed: closed.promise,
    text,
    async received(length) {
      if (seen.bytes < length) {
        awaited = { length, arrived: deferred<void>() }
        await awaited.arrived.promise
      }
      return text()
    },
  }
}

async function connectedPair(
  subject: NetworkSubject,
  options: { endWithPeer?: boolean } = {},
): Promise<{ listener: Listener; client: Observed; server: Observed }> {
  const accepted = deferred<Observed>()
  const listener = await subject.server.listen({ host: subject.host, port: 0 }, (connection) =>
    accepted.resolve(observe(connection, options)),
  )
  const client = observe(subject.client.connect(listener.address), options)
  return { listener, client, server: await accepted.promise }
}

function listenFailsWith(code: ListenError['code']): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ListenError)
    assert.equal(error.code, code)
    return true
  }
}
