import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import type { Address } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { createSimulation } from '../../runtime/simulation/index.ts'
import { GrpcServer, GrpcStatusCode } from '../grpc/index.ts'
import { GrpcChannel } from './grpc-channel.ts'
import type { UnaryReply } from './replies.ts'
import {
  call,
  echoPath,
  echoRoutes,
  echoStreamPath,
  eventually,
  openChannel,
  reached,
  silentPath,
  startServer,
  Transcript,
} from './testing.ts'

const text = (value: string): Buffer => Buffer.from(value)

/** A relay that passes bytes on until it swallows them without a word. */
async function startRelay(t: TestContext, target: Address): Promise<Address & { blackHole(): void }> {
  const sockets: net.Socket[] = []
  let swallows = false
  const server = net.createServer((socket) => {
    const onward = net.connect(target.port, target.host)
    for (const [from, to] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      sockets.push(from)
      from.on('error', () => {})
      from.on('data', (bytes) => {
        if (!swallows) to.write(bytes)
      })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const blackHole = (): void => {
    swallows = true
  }
  return { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port, blackHole }
}

describe('a channel’s states', () => {
  it('idle until it is told to connect; a call then certainly was not sent', async (t) => {
    const { address } = await startServer(t)
    const channel = openChannel(t, address)
    channel.close()
    assert.equal(channel.state, 'closed')
    const idle = new GrpcChannel(createNodeRuntime({ logLevel: 'error' }), address)
    assert.equal(idle.state, 'idle')
    const reply = await call(idle, echoPath, text(''))
    assert.ok(!reply.ok && !reply.processed && reply.status === GrpcStatusCode.unavailable)
    const states: string[] = []
    const stop = idle.onStateChange((state) => states.push(state))
    idle.connect()
    idle.connect()
    assert.ok((await call(idle, echoPath, text(''))).ok)
    stop()
    idle.close()
    idle.connect()
    assert.deepEqual([states, idle.state], [['connecting', 'ready'], 'closed'])
  })

  it('a server that accepts and says nothing fails the attempt in time, and the calls that waited', async (t) => {
    const silent = net.createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    t.after(() => silent.close())
    const { port } = silent.address() as net.AddressInfo
    const channel = openChannel(t, { host: '127.0.0.1', port }, { connectTimeoutMs: 50 })
    const reply = await call(channel, echoPath, text(''))
    assert.ok(!reply.ok && !reply.processed && reply.origin === 'connection')
    assert.match(channel.failure!, /within 50 ms/)
  })

  it('a server of another protocol is told from one that is silent', async (t) => {
    const other = net.createServer((socket) => socket.on('error', () => {}).end('SSH-2.0-OpenSSH_9.2\r\n'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    t.after(() => other.close())
    const { port } = other.address() as net.AddressInfo
    const channel = openChannel(t, { host: '127.0.0.1', port })
    await reached(channel, 'failed')
    assert.match(channel.failure!, /HTTP\/2/)
  })

  it('a link that swallows everything is found by its silence', async (t) => {
    const { address } = await startServer(t)
    const relay = await startRelay(t, address)
    const channel = openChannel(t, relay, { keepAliveTimeMs: 200, keepAliveTimeoutMs: 1_000 })
    const transcript = new Transcript()
    channel.stream(echoStreamPath, {}, transcript).send(text('x'))
    await transcript.until(() => transcript.messages.length === 1)
    relay.blackHole()
    await transcript.until(() => transcript.ends.length === 1)
    const [end] = transcript.ends
    assert.deepEqual([end!.status, end!.origin, end!.processed], [GrpcStatusCode.unavailable, 'connection', true])
    assert.match(end!.message, /nothing was heard/)
    assert.equal(channel.state, 'failed')
  })

  it('closing tells every call once, after the method', async (t) => {
    const { address } = await startServer(t)
    const channel = openChannel(t, address)
    await reached(channel, 'ready')
    const replies: UnaryReply[] = []
    channel.unary(silentPath, text('sent'), {}, (reply) => replies.push(reply))
    const transcript = new Transcript()
    channel.stream(echoStreamPath, {}, transcript)
    channel.close('enough')
    channel.unary(echoPath, text('after'), {}, (reply) => replies.push(reply))
    assert.equal(replies.length, 0)
    await eventually(() => replies.length === 2 && transcript.ends.length === 1)
    assert.deepEqual(replies.map((reply) => !reply.ok && reply.processed).sort(), [false, true])
  })

  it('bounds what waits for the connection', async (t) => {
    const { address } = await startServer(t)
    const channel = openChannel(t, address, { waitingCallsMax: 3, waitingBytesMax: 1_000 })
    const calls = Array.from({ length: 5 }, () => call(channel, echoPath, text('x')))
    const replies = await Promise.all(calls)
    assert.deepEqual(
      replies.map((reply) => reply.ok),
      [true, true, true, false, false],
    )
    const last = replies[4]!
    assert.ok(!last.ok && !last.processed && last.status === GrpcStatusCode.resourceExhausted)
    const second = openChannel(t, address, { waitingCallsMax: 3, waitingBytesMax: 1_000 })
    const large = await call(second, echoPath, Buffer.alloc(1_001))
    assert.ok(!large.ok && large.status === GrpcStatusCode.resourceExhausted)
  })

  it('calls that were given up while they waited make room, and are never sent', async (t) => {
    const { address, server } = await startServer(t, undefined, { http2: { concurrentStreamsMax: 1 } })
    const channel = openChannel(t, address, { waitingCallsMax: 2_000 })
    await reached(channel, 'ready')
    const transcript = new Transcript()
    const occupant = channel.stream(echoStreamPath, {}, transcript)
    let cancelled = 0
    const note = (): void => {
      cancelled++
    }
    const cancels = Array.from({ length: 2_000 }, () => channel.unary(echoPath, text('x'), {}, note))
    for (const cancel of cancels) cancel()
    const late = call(channel, echoPath, text('late'))
    await eventually(() => cancelled === 2_000)
    occupant.end()
    assert.ok((await late).ok)
    assert.equal(server.streamsStarted, 2)
  })

  it('a server that turns it away with an error leaves it failed', async (t) => {
    const { address } = await startServer(t, undefined, {
      http2: { pingPolicy: { minIntervalMs: 1e9, permitWithoutStream: false } },
    })
    const channel = openChannel(t, address, { keepAliveTimeMs: 5, keepAliveTimeoutMs: 5_000 })
    await reached(channel, 'ready')
    const reply = await call(channel, silentPath, text('x'))
    assert.ok(!reply.ok && reply.processed)
    assert.match(channel.failure!, /too_many_pings/)
    assert.equal(channel.state, 'failed')
  })

  it('a call may begin another, cancel, or close the channel from within its answer', async (t) => {
    const { address } = await startServer(t)
    const channel = openChannel(t, address)
    const order: string[] = []
    await new Promise<void>((resolve) => {
      const cancel = channel.unary(silentPath, text(''), {}, () => order.push('cancelled'))
      channel.unary(echoPath, text(''), {}, () => {
        order.push('first')
        cancel()
        channel.unary(echoPath, text(''), {}, () => {
          order.push('second')
          channel.close()
          channel.unary(echoPath, text(''), {}, () => resolve())
        })
      })
    })
    assert.deepEqual(order, ['first', 'cancelled', 'second'])
  })

  it('a deadline counts while the call waits for the connection', async (t) => {
    const silent = net.createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    t.after(() => silent.close())
    const { port } = silent.address() as net.AddressInfo
    const channel = openChannel(t, { host: '127.0.0.1', port }, { connectTimeoutMs: 60_000 })
    const reply = await call(channel, echoPath, text(''), { timeoutMs: 10 })
    assert.ok(!reply.ok && reply.status === GrpcStatusCode.deadlineExceeded && !reply.processed)
    assert.equal(channel.state, 'connecting')
  })
})

describe('a channel in the simulator', () => {
  async function world(seed: number): Promise<string> {
    const simulation = createSimulation({ seed })
    const server = simulation.createNode('server').runtime
    const client = simulation.createNode('client').runtime
    const grpcServer = new GrpcServer({ clock: server.clock, scheduler: server.scheduler, routes: [echoRoutes] })
    await simulation.runUntilDone(
      server.network.listen({ host: 'server', port: 1 }, (connection) => {
        connection.setHandler(grpcServer.accept(connection))
      }),
    )
    const channel = new GrpcChannel(client, { host: 'server', port: 1 })
    channel.connect()
    const log: string[] = []
    for (let at = 0; at < 20; at++) {
      channel.unary(echoPath, text(`${at}`), { timeoutMs: 5_000 }, (reply, sentAtMs) => {
        log.push(`${at} ${reply.ok ? Buffer.from(reply.message) : reply.message} ${sentAtMs}`)
      })
    }
    await simulation.run({ until: () => log.length === 20 })
    const transcript = new Transcript()
    channel.stream(echoStreamPath, {}, transcript).send(text('watch'))
    await simulation.run({ until: () => transcript.messages.length === 1 })
    const cutAtMs = client.clock.monotonicMs()
    simulation.partition(['server'], ['client'])
    await simulation.run({ until: () => transcript.ends.length === 1 })
    const tookMs = client.clock.monotonicMs() - cutAtMs
    assert.ok(tookMs < 10_000, `found after ${tookMs} ms`)
    assert.equal(channel.state, 'failed')
    simulation.heal()
    channel.connect()
    channel.unary(echoPath, text('again'), {}, (reply) => log.push(`again ${reply.ok}`))
    await simulation.run({ until: () => log.length === 21 })
    assert.equal(log.at(-1), 'again true')
    channel.close()
    await simulation.run({ untilMs: simulation.nowMs + 5_000 })
    return `${log.join('\n')} ${simulation.fingerprint()}`
  }

  it('runs there: same seed, same run; a cut link is found within seconds, and then it connects again', async () => {
    assert.equal(await world(7), await world(7))
  })
})
