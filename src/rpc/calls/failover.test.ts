/** Servers that die, go, come and stall, and what their clients see of it. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { connect, type PlaneByEngine } from '../../client/index.ts'
import {
  closeClient,
  createClient,
  createServer,
  defineService,
  implement,
  RpcError,
  type RpcServer,
  unary,
} from '../index.ts'
import { failureOf } from '../testing/failure-of.ts'
import { MortalNetwork } from '../testing/mortal-network.ts'
import { until } from '../testing/until.ts'

const isNumber = (value: unknown): number => Number(value)
const isText = (value: unknown): string => String(value)
const ledger = defineService('ledger', {
  read: unary({ request: isNumber, response: isText, idempotent: true }),
  book: unary({ request: isNumber, response: isText }),
})

interface Instance {
  readonly server: RpcServer
  readonly network: MortalNetwork
}

describe('failover', () => {
  let plane: PlaneByEngine['embedded']
  before(async () => {
    plane = await connect('memory:')
  })
  after(() => plane.close())

  /** How often each number was booked, over all instances. */
  const booked = new Map<number, number>()
  async function start(service: string, name: string, delayMs = 1): Promise<Instance> {
    const network = new MortalNetwork()
    const server = await createServer({
      services: [
        implement(ledger, {
          read: async (_, { signal }) => {
            await pause(delayMs, undefined, { signal })
            return name
          },
          book: async (number, { signal }) => {
            booked.set(number, (booked.get(number) ?? 0) + 1)
            await pause(delayMs, undefined, { signal })
            return name
          },
        }),
      ],
      register: { synod: plane, service, id: name },
      runtime: { network },
    })
    return { server, network }
  }

  it('instances killed one by one under load: no idempotent call fails, and none other is done twice', async () => {
    const instances = new Map<string, Instance>()
    for (const name of ['a', 'b', 'c']) instances.set(name, await start('killed', name))
    const client = createClient(ledger, { target: 'synod:///killed', synod: plane })
    const reads = new Map<string, number>()
    const failedReads: unknown[] = []
    const failures: { readonly number: number; readonly error: RpcError }[] = []
    let number = 0
    let isOver = false
    const readers = Array.from({ length: 10 }, async () => {
      while (!isOver) {
        await client.read(0).then(
          (name) => reads.set(name, (reads.get(name) ?? 0) + 1),
          (error: unknown) => failedReads.push(error),
        )
      }
    })
    const writers = Array.from({ length: 10 }, async () => {
      while (!isOver) {
        const own = number++
        await client.book(own).catch((error: RpcError) => failures.push({ number: own, error }))
      }
    })
    const serves = async (name: string): Promise<void> => {
      const before = reads.get(name) ?? 0
      await until(() => (reads.get(name) ?? 0) > before + 50, `${name} serves`)
    }
    for (const name of ['a', 'b', 'c']) {
      await serves(name)
      // Killed, it stays registered until its session ends: clients find out by themselves.
      instances.get(name)!.network.kill()
      const others = ['a', 'b', 'c'].filter((one) => one !== name)
      await Promise.all(others.map(serves))
      instances.set(name, await start('killed', name))
    }
    await serves('c')
    isOver = true
    await Promise.all([...readers, ...writers])
    await closeClient(client)
    await Promise.all([...instances.values()].map(({ server }) => server.close({ drainMs: 0 })))

    assert.deepEqual(failedReads, [])
    for (const [own, times] of booked) assert.equal(times, 1, `${own} was booked ${times} times`)
    for (const { number: own, error } of failures) {
      assert.ok(error instanceof RpcError)
      assert.equal(error.code, 'UNAVAILABLE')
      if (error.outcome === 'not-applied') assert.ok(!booked.has(own), `${own} is told as not applied, and was`)
    }
    // Ten writers wait at a third of the time at the one that is killed: some of them must see it.
    assert.ok(failures.length > 0, 'calls that were under way are told as unknown')
  })

  it('an instance that leaves in good order fails no call at all', async () => {
    const one = await start('leaving', 'a')
    const two = await start('leaving', 'b')
    const client = createClient(ledger, { target: 'synod:///leaving', synod: plane })
    const errors: unknown[] = []
    const names = new Set<string>()
    let isOver = false
    const callers = Array.from({ length: 10 }, async () => {
      while (!isOver) {
        await client.book(-1).then(
          (name) => names.add(name),
          (error: unknown) => errors.push(error),
        )
      }
    })
    await until(() => names.size === 2, 'both serve')
    await one.server.close()
    names.clear()
    await until(() => names.size === 1, 'the other serves')
    const three = await start('leaving', 'c')
    await until(() => names.size === 2, 'the new one serves')
    await two.server.close()
    isOver = true
    await Promise.all(callers)
    await closeClient(client)
    await three.server.close()
    assert.deepEqual(errors, [])
  })

  it('a call hedged past a slow instance', async () => {
    const slow = await start('hedged', 'slow', 60_000)
    const fast = await start('hedged', 'fast')
    const targets = [slow, fast].map(({ server }) => `127.0.0.1:${server.address.port}`)
    await using client = createClient(ledger, { target: `static:///${targets.join(',')}`, retry: { hedgeAfterMs: 20 } })
    for (let at = 0; at < 4; at++) assert.equal(await client.read(0, { timeoutMs: 20_000 }), 'fast')
    await until(() => slow.server.callsOpen === 0, 'the losers are cancelled')
    await slow.server.close({ drainMs: 0 })
    await fast.server.close({ drainMs: 0 })
  })

  it('an attempt that takes too long is made elsewhere, if the call is idempotent', async () => {
    const slow = await start('timed', 'slow', 60_000)
    const fast = await start('timed', 'fast')
    const targets = [slow, fast].map(({ server }) => `127.0.0.1:${server.address.port}`)
    const retry = { attemptTimeoutMs: 100 }
    await using client = createClient(ledger, { target: `static:///${targets.join(',')}`, retry })
    for (let at = 0; at < 4; at++) assert.equal(await client.read(0, { timeoutMs: 20_000 }), 'fast')
    const results = await Promise.allSettled([client.book(-2), client.book(-3)])
    const rejected = results.filter((result) => result.status === 'rejected')
    assert.equal(rejected.length, 1)
    assert.equal((rejected[0]!.reason as RpcError).outcome, 'unknown')
    await slow.server.close({ drainMs: 0 })
    await fast.server.close({ drainMs: 0 })
  })

  it('what certainly was not done is done elsewhere, idempotent or not', async () => {
    const dead = await start('refusing', 'dead')
    dead.network.kill()
    const full = await createServer({ services: [implement(ledger, { book: () => 'full' })], limits: { callsMax: 0 } })
    const alive = await start('refusing', 'alive')
    const targets = [dead.server, full, alive.server].map(({ address }) => `127.0.0.1:${address.port}`)
    await using client = createClient(ledger, { target: `static:///${targets.join(',')}` })
    // The retry budget allows ten a second in any case.
    for (let at = 0; at < 8; at++) assert.equal(await client.book(2_000_000 + at), 'alive')
    for (let at = 0; at < 8; at++) assert.equal(booked.get(2_000_000 + at), 1)
    await Promise.all([full, alive.server, dead.server].map((server) => server.close({ drainMs: 0 })))
  })

  it('with nobody there a call fails at once, or waits where it is told to', async () => {
    await using client = createClient(ledger, { target: 'synod:///later', synod: plane })
    const error = await failureOf(client.book(1_000_001))
    assert.deepEqual([error.code, error.outcome, error.retryable], ['UNAVAILABLE', 'not-applied', true])
    assert.match(error.message, /synod:\/\/\/later.*there is none/)
    const waiting = client.book(1_000_002, { waitForReady: true })
    const late = await start('later', 'late')
    assert.equal(await waiting, 'late')
    await late.server.close()
  })

  it('a deadline holds while endpoints are not known yet', async () => {
    const upstream = { connectTimeoutMs: 60_000 }
    await using client = createClient(ledger, { target: 'synod:///nobody', synod: plane, upstream })
    const error = await failureOf(client.book(1_000_003, { waitForReady: true, timeoutMs: 50 }))
    assert.deepEqual([error.code, error.outcome], ['DEADLINE_EXCEEDED', 'not-applied'])
  })

  it('one endpoint that was down is used again soon after it is back', async () => {
    const first = await start('back', 'first')
    const { port } = first.server.address
    await using client = createClient(ledger, { target: `127.0.0.1:${port}` })
    assert.equal(await client.read(0), 'first')
    first.network.kill()
    await failureOf(client.book(1_000_004))
    const second = await createServer({
      services: [implement(ledger, { read: () => 'second' })],
      address: { port },
    })
    assert.equal(await client.read(0, { waitForReady: true }), 'second')
    await second.close()
    await first.server.close({ drainMs: 0 })
  })
})
