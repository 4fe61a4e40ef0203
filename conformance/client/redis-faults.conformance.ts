// The plane on a real Redis while processes die or stand still, connections are cut, and the server is killed.
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { openRedisPlane } from '../../src/client/drivers/redis/index.ts'
import type { SynodError } from '../../src/client/errors.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import { skipWithout } from '../peers.ts'
import { LateRelay } from './redis-late-relay.ts'
import { RedisServer } from './redis-server.ts'
import { Relay } from './zookeeper-relay.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })
const ttlMs = 2_000

class Program {
  readonly child: ChildProcessWithoutNullStreams
  private readonly answers: AsyncIterator<string>

  constructor(port: number) {
    const program = join(import.meta.dirname, 'redis-holder-process.ts')
    this.child = spawn(process.execPath, [program, String(port), String(ttlMs)], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stderr.pipe(process.stderr)
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
  }

  say(command: string): void {
    this.child.stdin.write(`${command}\n`)
  }

  async answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.answers.next()
    assert(done !== true, 'the program ended')
    return JSON.parse(value) as Record<string, unknown>
  }

  ask(command: string): Promise<Record<string, unknown>> {
    this.say(command)
    return this.answer()
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGKILL')
    await once(this.child, 'exit')
  }
}

describe('the plane on Redis under faults', { skip: skipWithout('redis'), timeout: 180_000 }, () => {
  let server: RedisServer
  let outsider: Redis

  before(async () => {
    server = await RedisServer.start()
    outsider = server.outsider()
    outsider.on('error', () => {})
  })

  beforeEach(() => outsider.flushall())

  after(async () => {
    outsider.disconnect()
    await server.stop()
  })

  async function connectionsMade(): Promise<number> {
    return Number(/total_connections_received:(\d+)/.exec(await outsider.info('stats'))![1])
  }

  async function withPrograms(count: number, body: (...programs: Program[]) => Promise<void>): Promise<void> {
    const programs = Array.from({ length: count }, () => new Program(server.port))
    try {
      await body(...programs)
    } finally {
      await Promise.all(programs.map((program) => program.end()))
    }
  }

  it('lets one of many processes in at a time', async () => {
    await withPrograms(4, async (...programs) => {
      await Promise.all(programs.map((program) => program.ask('contend 50')))
      assert.equal(await outsider.get('plain'), '200')
      const tokens = (await outsider.lrange('tokens', 0, -1)).map(Number)
      assert.equal(tokens.length, 200)
      assert(tokens.every((token, i) => i === 0 || token > tokens[i - 1]!))
    })
  })

  it('gives the lock of a process that was killed to the next', async () => {
    await withPrograms(2, async (first, second) => {
      const { token } = await first!.ask('acquire')
      second!.say('acquire')
      while ((await outsider.zcard('synod/locks/stock/queue')) === 0);
      await first!.end()
      assert(((await second!.answer())['token'] as number) > (token as number))
    })
  })

  it('a holder that stood still comes too late with its write, and knows that it lost the lock', async () => {
    await withPrograms(2, async (first, second) => {
      const { token } = await first!.ask('acquire')
      assert.deepEqual(await first!.ask('write first'), { outcome: 'written' })
      second!.say('acquire')
      first!.child.kill('SIGSTOP')
      for (const command of ['check', 'write late']) first!.say(command)
      assert(((await second!.answer())['token'] as number) > (token as number))
      assert.deepEqual(await second!.ask('write second'), { outcome: 'written' })
      first!.child.kill('SIGCONT')
      assert.deepEqual(await first!.answer(), { held: false, remainingMs: 0 })
      assert.deepEqual(await first!.answer(), { outcome: 'FENCED' })
      assert.equal(await outsider.hget('fenced', 'value'), 'second')
    })
  })

  it('counts exactly while connections break and hang', async () => {
    const relay = await Relay.to(server.port)
    const plane = await openRedisPlane(
      { host: '127.0.0.1', port: relay.port, ttlMs: 10_000, requestTimeoutMs: 3_000 },
      runtime,
    )
    const counter = plane.counter('exact')
    let sure = 0
    let unsure = 0
    let isOver = false
    const adding = Array.from({ length: 8 }, async () => {
      while (!isOver)
        await counter.increment({ timeoutMs: 60_000 }).then(
          () => sure++,
          (error: SynodError) => {
            if (error.outcome === 'unknown') unsure++
          },
        )
    })
    for (let round = 0; round < 12; round++) {
      const enough = sure + 200
      const endMs = runtime.clock.monotonicMs() + 30_000
      while (sure < enough) {
        assert(runtime.clock.monotonicMs() < endMs, 'it does not go on')
        await outsider.ping()
      }
      if (round % 3 !== 2) {
        relay.reset()
        continue
      }
      // In silence, until the client has given the connection up and made another.
      const made = await connectionsMade()
      relay.cut()
      while ((await connectionsMade()) === made) assert(runtime.clock.monotonicMs() < endMs, 'it does not reconnect')
      relay.mend()
    }
    isOver = true
    await Promise.all(adding)
    const value = Number(await outsider.get('synod/counters/exact'))
    assert(value >= sure && value <= sure + unsure, `${value} with ${sure} told and ${unsure} of unknown fate`)
    assert.equal(unsure, 0)
    await plane.close()
    relay.close()
  })

  it('applies nothing that arrives after its connection was given up', async () => {
    const relay = await LateRelay.to(server.port)
    const plane = await openRedisPlane({ host: '127.0.0.1', port: relay.port, requestTimeoutMs: 3_000 }, runtime)
    const [counter, lock] = [plane.counter('late'), plane.lock('late')]
    assert.equal(await counter.increment(), 1)
    await (await lock.acquire()).release()
    relay.holdBack()
    const acquiring = lock.acquire()
    assert.equal(await counter.increment({ timeoutMs: 60_000 }), 2)
    await (await acquiring).release()
    // The result of the one that was sent twice is removed with the next.
    assert.equal(await counter.increment(), 3)
    await relay.deliver()
    assert.equal(await counter.get(), 3)
    assert.equal(await outsider.hlen('synod/locks/late/holders'), 0)
    await plane.close()
    relay.close()
  })

  it('keeps what it holds, and what it counted, over a crash of the server with its append-only file', async () => {
    const plane = await openRedisPlane({ host: '127.0.0.1', port: server.port, ttlMs: 20_000 }, runtime)
    const held = await plane.lock('kept').acquire()
    for (let i = 0; i < 50; i++) await plane.counter('kept').increment()
    const late = Array.from({ length: 20 }, () => plane.counter('kept').increment({ timeoutMs: 30_000 }))
    await server.crash()
    await server.restart()
    await Promise.all(late)
    assert.equal(await plane.counter('kept').get({ timeoutMs: 30_000 }), 70)
    held.assertHeld()
    const other = await openRedisPlane({ host: '127.0.0.1', port: server.port }, runtime)
    assert.equal(await other.lock('kept').tryAcquire(), undefined)
    await held.release()
    const next = await other.lock('kept').acquire()
    assert(next.fencingToken > held.fencingToken)
    await other.close()
    await plane.close()
  })

  it('gives greater tokens and new ids even after the server lost everything', async () => {
    const plane = await openRedisPlane({ host: '127.0.0.1', port: server.port, ttlMs }, runtime)
    const held = await plane.lock('lost').acquire()
    const id = await plane.ids('lost').next()
    const gone = new Promise((resolve) => held.signal.addEventListener('abort', resolve))
    await outsider.flushall()
    await gone
    const next = await plane.lock('lost').acquire()
    assert(next.fencingToken > held.fencingToken)
    assert((await plane.ids('lost').next()) > id)
    await plane.close()
  })
})
