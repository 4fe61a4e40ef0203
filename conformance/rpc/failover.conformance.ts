// Service pairs over three instances in the registry of a real `synod node`: each instance is killed with -9 under load
// and started again, then one is stopped. No idempotent call may fail: by our gRPC client, by our Thrift client, and by
// plain grpc-js with our resolver.
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import * as grpc from '@grpc/grpc-js'
import { type AnyPlane, connect } from '../../src/client/index.ts'
import type { BalancePolicy } from '../../src/core/balance/index.ts'
import { registerSynodResolver } from '../../src/rpc/grpc-js/index.ts'
import { createClient, rpcMetrics } from '../../src/rpc/index.ts'
import { peerClient } from '../../src/rpc/testing/grpc-js-peer.ts'
import { orders } from '../../src/rpc/testing/orders-service.ts'
import { createThriftClient } from '../../src/rpc/thrift/index.ts'
import { inventory } from '../../src/rpc/thrift/testing/inventory.ts'
import { type Cluster, startCluster } from '../cluster.ts'

const names = ['a', 'b', 'c'] as const
const oneNote = new Uint8Array(1_000)
/** More than what an instance that starts has been seen to take. */
const waitMsMax = 30_000

/** Calls one after another by each of several callers; what they saw. */
class Callers {
  readonly title: string
  readonly byServer = new Map<string, number>()
  readonly failures: string[] = []
  calls = 0
  private isOver = false
  private readonly running: Promise<unknown>

  /** Whether it goes elsewhere when no answer comes; grpc-js waits until the deadline. */
  readonly givesUp: boolean

  /** `call` resolves to who answered. */
  constructor(title: string, count: number, call: () => Promise<string>, givesUp = true) {
    this.title = title
    this.givesUp = givesUp
    const repeat = async (): Promise<void> => {
      while (!this.isOver) await this.make(call)
    }
    this.running = Promise.all(Array.from({ length: count }, repeat))
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }

  private async make(call: () => Promise<string>): Promise<void> {
    try {
      const server = await call()
      this.byServer.set(server, (this.byServer.get(server) ?? 0) + 1)
    } catch (error) {
      const { code, message } = error as { readonly code?: unknown; readonly message: string }
      if (this.failures.length < 20) this.failures.push(`${this.title}: ${String(code)}: ${message}`)
    }
    this.calls++
    // Also when every call fails at once, others have their turn.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

class Instance {
  readonly name: string
  private readonly registry: string
  private child: ChildProcess | undefined

  constructor(name: string, registry: string) {
    this.name = name
    this.registry = registry
  }

  async start(): Promise<void> {
    const child = fork(join(import.meta.dirname, 'failover-server.ts'), [this.name, this.registry])
    this.child = child
    const failed = once(child, 'exit').then(([status]) => {
      throw new Error(`the instance ${this.name} did not start: exit status ${status}`)
    })
    await Promise.race([once(child, 'message'), failed])
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.child!.kill(signal)
  }

  async kill(): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
}

describe('three instances, killed one by one under load', () => {
  let store: Cluster
  let plane: AnyPlane
  let instances: readonly Instance[] = []
  let all: readonly Callers[] = []
  const clients: object[] = []
  const closing: (() => unknown)[] = []

  before(async () => {
    store = await startCluster({ kind: 'synod', nodes: 1 })
    const registry = `synod://${store.endpoints}?ttlMs=2000`
    instances = names.map((name) => new Instance(name, registry))
    await Promise.all(instances.map((instance) => instance.start()))
    plane = await connect(`synod://${store.endpoints}`)
  })
  after(async () => {
    await Promise.all(all.map((callers) => callers.stop()))
    for (const close of closing) await close()
    await Promise.all(instances.map((instance) => instance.kill()))
    await plane?.close()
    await store?.stop()
  })

  async function until(what: string, test: () => boolean): Promise<void> {
    for (const deadlineMs = Date.now() + waitMsMax; !test(); await new Promise((next) => setTimeout(next, 20))) {
      if (Date.now() > deadlineMs) {
        const seen = all.map(({ title, calls, byServer }) => `${title}: ${calls}, ${JSON.stringify([...byServer])}`)
        assert.fail(`it never happened: ${what}\n${[...seen, ...statesOf(clients)].join('\n')}`)
      }
    }
  }

  /** Calls of our clients and of plain grpc-js, each with every policy that it has. */
  function startCallers(): Callers[] {
    assert.ok('registry' in plane)
    const synod = plane
    const retry = { attemptTimeoutMs: 500 }
    // An instance whose process gets no time as it starts answers late and is ejected: by default for as long as this waits.
    const upstream = { outlier: { ejectionMs: 500, ejectionMsMax: 2_000, intervalMs: 250 } }
    const ours = createClient(orders, { target: 'synod:///orders', synod, retry, upstream })
    // So early that on a busy machine hedges take all that they may: half of the budget is left for retries.
    const hedges = { ...retry, hedgeAfterMs: 5 }
    const hedging = createClient(orders, { target: 'synod:///orders', synod, retry: hedges, upstream })
    const thrift = createThriftClient(inventory, { target: 'synod:///inventory', synod, retry, upstream })
    clients.push(ours, thrift)
    closing.push(
      () => ours[Symbol.asyncDispose](),
      () => hedging[Symbol.asyncDispose](),
      () => thrift[Symbol.asyncDispose](),
    )
    const options = { idempotent: true }
    let key = 0
    const hashed = () => ({ ...options, key: `${key++}` })
    return [
      new Callers('gRPC', 8, async () => (await ours.placeOrder({ item: 'x' }, options)).servedBy),
      new Callers('gRPC, hedged', 4, async () => (await hedging.placeOrder({ item: 'x' }, hashed())).servedBy),
      new Callers('gRPC, streamed requests', 4, async () => {
        const { count, bytes } = await ours.upload([{ note: oneNote }, { note: oneNote }], options)
        if (count !== 2 || bytes !== 2_000n) throw new Error(`${count} messages of ${bytes} bytes arrived`)
        return 'somebody'
      }),
      new Callers('Thrift', 8, async () => (await thrift.get(['x'])).tags!.join()),
      new Callers('Thrift, larger answers', 4, async () => (await thrift.all([]))[99]!.tags!.join()),
      ...startGrpcJs(synod),
    ]
  }

  /** grpc-js makes calls again only where its own service config says so. */
  function startGrpcJs(synod: Parameters<typeof registerSynodResolver>[1]): Callers[] {
    const policies: readonly ('round_robin' | BalancePolicy)[] = ['round_robin', 'p2c', 'rendezvous']
    return policies.map((policy) => {
      const scheme = `synod-${policy.replace('_', '-')}`
      registerSynodResolver(grpc, synod, { scheme, policy, keyMetadata: 'x-key' })
      const retryPolicy = {
        maxAttempts: 4,
        initialBackoff: '0.02s',
        maxBackoff: '0.2s',
        backoffMultiplier: 2,
        retryableStatusCodes: ['UNAVAILABLE'],
      }
      const config = { loadBalancingConfig: [], methodConfig: [{ name: [{}], retryPolicy }] }
      const client = peerClient(`${scheme}:///orders`, { 'grpc.service_config': JSON.stringify(config) })
      closing.push(() => client.close())
      let key = 0
      return new Callers(
        `grpc-js, ${policy}`,
        4,
        () => {
          const metadata = new grpc.Metadata()
          metadata.set('x-key', `${key++}`)
          return new Promise((resolve, reject) => {
            client.PlaceOrder({ item: 'x' }, metadata, { deadline: Date.now() + 20_000 }, (error, value) =>
              error === null ? resolve((value as { servedBy: string }).servedBy) : reject(error),
            )
          })
        },
        false,
      )
    })
  }

  const failures = (): string[] => all.flatMap((callers) => callers.failures)

  it('fails no idempotent call', async () => {
    all = startCallers()
    const isUsedBy = (name: string, { byServer }: Callers) => (byServer.get(name) ?? byServer.get('somebody') ?? 0) > 10
    const isUsedByAll = (name: string) => all.every((callers) => isUsedBy(name, callers))
    await until('all use every instance', () => names.every(isUsedByAll))
    for (const instance of instances) {
      await instance.kill()
      const goals = all.map(({ calls }) => calls + 50)
      await until(`calls go on without ${instance.name}`, () => all.every(({ calls }, at) => calls >= goals[at]!))
      assert.deepEqual(failures(), [])
      for (const { byServer } of all) byServer.delete(instance.name)
      await instance.start()
      await until(`all use ${instance.name} again`, () => isUsedByAll(instance.name))
      assert.deepEqual(failures(), [])
    }
    const [stopped] = instances as [Instance]
    stopped.signal('SIGSTOP')
    const able = all.filter(({ givesUp }) => givesUp)
    const goals = able.map(({ calls }) => calls + 50)
    await until('calls go on while an instance stands still', () => able.every(({ calls }, at) => calls >= goals[at]!))
    for (const { byServer } of all) byServer.delete(stopped.name)
    stopped.signal('SIGCONT')
    // Those that waited for it as well, and those that ejected it.
    await until(`all use ${stopped.name} again`, () => isUsedByAll(stopped.name))
    const later = all.map(({ calls }) => calls + 50)
    await until('all go on', () => all.every(({ calls }, at) => calls >= later[at]!))
    assert.deepEqual(failures(), [])
  })
})

/** What clients hold of the endpoints, where it is not good. */
function statesOf(clients: readonly object[]): string[] {
  const isTelling = /^synod_upstream_(endpoints|endpoint_ejections_total|refusals_total)\{.* [1-9]/
  return clients.flatMap((client) => rpcMetrics(client).split('\n')).filter((line) => isTelling.test(line))
}
