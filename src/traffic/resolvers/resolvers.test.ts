import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { connect, type Instance } from '../../client/index.ts'
import { createRegistry } from '../../client/registry/index.ts'
import { onGround } from '../../client/turns/testing/client-ground.ts'
import { NameError, type NameService, type ServiceRecord, type TextFiles } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { openUpstream, type Upstream } from '../upstream/index.ts'
import { onUpstreamGround, settingsOf, staticSource } from '../upstream/testing/upstream-ground.ts'
import { lazyServiceInstances, parseEndpointList, type ServiceInstances } from './index.ts'

/** Names that a test changes. A name that is missing is not found. */
class TestNames implements NameService {
  readonly hosts = new Map<string, readonly string[]>()
  readonly records = new Map<string, readonly ServiceRecord[]>()
  asked = 0

  async addresses(name: string): Promise<readonly string[]> {
    this.asked++
    return found(this.hosts, name)
  }

  async services(name: string): Promise<readonly ServiceRecord[]> {
    return found(this.records, name)
  }
}

function found<T>(all: ReadonlyMap<string, T>, name: string): T {
  const value = all.get(name)
  if (value === undefined) throw new NameError('NOT_FOUND', `${name} has no such record`)
  return value
}

function idsOf(upstream: Upstream): string[] {
  return upstream.endpoints.map(({ id }) => id).sort()
}

suite('dns', () => {
  test('follows the addresses of a name, and keeps the last answer while there is none', () => {
    const names = new TestNames()
    return onUpstreamGround(
      1,
      async ({ open, pass, until }) => {
        names.hosts.set('web', ['10.0.0.1', '::1'])
        const upstream = open({ sources: [{ type: 'dns', name: 'web', port: 80, refreshMs: 5000 }] })
        await upstream.ready()
        assert.deepEqual(idsOf(upstream), ['10.0.0.1:80', '[::1]:80'])
        names.hosts.set('web', ['10.0.0.2'])
        await pass(5600)
        assert.deepEqual(idsOf(upstream), ['10.0.0.2:80'])
        names.hosts.delete('web')
        await pass(6000)
        assert.deepEqual(idsOf(upstream), ['10.0.0.2:80'])
        const [source] = upstream.view().sources
        assert.deepEqual([source!.state, source!.error], ['failing', 'web has no such record'])
        names.hosts.set('web', ['10.0.0.3'])
        await until(() => idsOf(upstream)[0] === '10.0.0.3:80')
        assert.equal(upstream.view().sources[0]!.state, 'ready')
        upstream.close()
        const { asked } = names
        await pass(60_000)
        assert.equal(names.asked, asked)
      },
      { names },
    )
  })

  test('follows SRV records with their ports, weights and priorities; a host that cannot be had keeps its addresses', () => {
    const names = new TestNames()
    return onUpstreamGround(
      2,
      async ({ open, pass }) => {
        names.records.set('_web', [
          { host: 'a', port: 81, priority: 20, weight: 5 },
          { host: 'b', port: 82, priority: 10, weight: 0 },
        ])
        names.hosts.set('a', ['10.0.0.1']).set('b', ['10.0.0.2'])
        const upstream = open({ sources: [{ type: 'dns', name: '_web', port: undefined, refreshMs: 1000 }] })
        await upstream.ready()
        const shown = () =>
          upstream.endpoints.map(({ id, address: { weight, priority } }) => [id, weight, priority]).sort()
        const both = [
          ['10.0.0.1:81', 5, 1],
          ['10.0.0.2:82', 1, 0],
        ]
        assert.deepEqual(shown(), both)
        names.hosts.delete('a')
        await pass(1200)
        assert.deepEqual(shown(), both)
        assert.equal(upstream.view().sources[0]!.state, 'failing')
        names.records.set('_web', [{ host: 'b', port: 82, priority: 10, weight: 0 }])
        await pass(2000)
        assert.deepEqual(shown(), [['10.0.0.2:82', 1, 0]])
      },
      { names },
    )
  })

  test('what a reload takes away stays until what it brings has answered', () => {
    const names = new TestNames()
    return onUpstreamGround(
      3,
      async ({ open, pass }) => {
        const upstream = open({ sources: [staticSource('a')] })
        upstream.reconfigure(settingsOf({ sources: [{ type: 'dns', name: 'web', port: 80, refreshMs: 1000 }] }))
        await pass(3000)
        assert.deepEqual(idsOf(upstream), ['a'])
        names.hosts.set('web', ['10.0.0.1'])
        await pass(3000)
        assert.deepEqual(idsOf(upstream), ['10.0.0.1:80'])
      },
      { names },
    )
  })
})

suite('files', () => {
  test('a list is read as people write it', () => {
    const [plain, full] = parseEndpointList(
      '- "[::1]:80"\n- { host: h, port: 1, id: x, weight: 2, priority: 1, zone: z, metadata: { rack: 7 } }\n',
    )
    assert.deepEqual(plain, { id: '[::1]:80', host: '::1', port: 80, weight: 1, priority: 0, zone: '', metadata: {} })
    assert.deepEqual(full, {
      id: 'x',
      host: 'h',
      port: 1,
      weight: 2,
      priority: 1,
      zone: 'z',
      metadata: { rack: '7' },
    })
    assert.equal(parseEndpointList('{"endpoints": ["h:1", {"host": "g", "port": 2}]}').length, 2)
    assert.deepEqual(parseEndpointList('[]'), [])
    // As endpoints are written in the proxy's configuration.
    assert.deepEqual(parseEndpointList("[{ address: '[::1]:80' }]"), [plain])
  })

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['', /no list/],
    ['hello', /no list/],
    ['- h:1\n- h', /line 2: "h" is no host:port/],
    ['- h:1\n\n- h:1', /line 3: the id 'h:1' is there twice/],
    ['- { host: h }', /line 1: port is missing/],
    ['- { host: h, port: 70000 }', /line 1: port is 70000/],
    ['- { host: h, port: 1, weight: 0 }', /weight is 0/],
    ['- { host: h, port: 1, wieght: 2 }', /'wieght' is not known/],
    ['- { host: h, port: 1, priority: 1.5 }', /priority is 1.5/],
    ["- { address: 'h:1', port: 2 }", /write address, or host and port/],
    ['- { address: h }', /"h" is no host:port/],
    ['- [', /./],
    ['- &a [&b [*a, *a], *b, *b]', /./],
  ]
  for (const [text, message] of wrong)
    test(`refused: ${JSON.stringify(text)}`, () => assert.throws(() => parseEndpointList(text), message))

  test('a file is followed; a bad one changes nothing and is told', () => {
    let text = '- h:1'
    let changed = (): void => {}
    const files: TextFiles = {
      read: async (path) => {
        if (text === '') throw new Error(`${path} is not there`)
        return text
      },
      watch: (_path, onChange) => {
        changed = onChange
        return () => {}
      },
    }
    return onUpstreamGround(
      4,
      async ({ open, pass }) => {
        const upstream = open({ sources: [{ type: 'file', path: '/etc/web.yaml' }] })
        await upstream.ready()
        const becomes = async (next: string): Promise<void> => {
          text = next
          changed()
          await pass(1)
        }
        await becomes('- h:1\n- h:2')
        assert.deepEqual(idsOf(upstream), ['h:1', 'h:2'])
        await becomes('- h')
        assert.deepEqual(idsOf(upstream), ['h:1', 'h:2'])
        assert.match(upstream.view().sources[0]!.error, /^\/etc\/web.yaml: line 1/)
        await becomes('')
        assert.match(upstream.view().sources[0]!.error, /is not there/)
        await becomes('- h:1\n- h:2')
        assert.equal(upstream.view().sources[0]!.state, 'ready')
        await becomes('[]')
        assert.deepEqual(idsOf(upstream), [])
      },
      { files },
    )
  })
})

suite('the registry', () => {
  test('a new instance is in within 100 ms, a dead one out within its TTL, an unhealthy one is seen as such', () =>
    onGround(1, async ({ client, until, simulation, pass }) => {
      const ttlMs = 2000
      const reader = client()
      const runtime = { ...reader.driver.outside, registry: createRegistry(reader.context) }
      const upstream = openUpstream(settingsOf({ sources: [{ type: 'registry', service: 'web' }] }), runtime)
      await upstream.ready()
      assert.equal(upstream.pick({}), 'no-endpoints')
      const host = client(ttlMs)
      const metadata = { weight: '3', zone: 'x', priority: '1' }
      const instance = { service: 'web', id: 'a', address: '10.0.0.1', port: 80, metadata }
      await createRegistry(host.context).register(instance)
      const registeredMs = simulation.nowMs
      await until(() => upstream.endpoints.length === 1)
      assert.ok(simulation.nowMs - registeredMs <= 100, `${simulation.nowMs - registeredMs} ms`)
      const { weight, zone, priority } = upstream.endpoints[0]!.address
      assert.deepEqual([weight, zone, priority], [3, 'x', 1])

      let isHealthy = false
      const check = { type: 'heartbeat', ttlMs: 300, check: () => isHealthy } as const
      const other = await createRegistry(client().context).register({ ...instance, id: 'b', health: check })
      await until(() => upstream.endpoints.length === 2)
      assert.deepEqual([upstream.endpoints[1]!.state, upstream.find('b')], ['unhealthy', undefined])
      isHealthy = true
      await until(() => upstream.endpoints[1]!.state === 'ready')
      await other.close()
      await until(() => upstream.endpoints.length === 1)

      host.driver.cut()
      const diedMs = simulation.nowMs
      await until(() => upstream.endpoints.length === 0)
      assert.ok(simulation.nowMs - diedMs <= ttlMs + 1000, `${simulation.nowMs - diedMs} ms`)
      host.driver.heal()
      upstream.close()
      await pass(1)
    }))

  test('while the registry cannot be watched, what is known stays, and it is watched again afterwards', () =>
    onGround(2, async ({ client, until, pass }) => {
      const { context, driver } = client(60_000)
      const real = createRegistry(context)
      let isCut = false
      const cut: ServiceInstances = {
        async *watch(service, options) {
          if (isCut) throw new Error('the engine is unreachable')
          for await (const instances of real.watch(service, options)) {
            if (isCut) throw new Error('the engine is unreachable')
            yield instances
          }
        },
      }
      const instance = { service: 'web', address: '10.0.0.1', port: 80 }
      await real.register({ ...instance, id: 'a' })
      const settings = settingsOf({ sources: [{ type: 'registry', service: 'web' }] })
      const upstream = openUpstream(settings, { ...driver.outside, registry: cut })
      await upstream.ready()
      isCut = true
      await real.register({ ...instance, id: 'b' })
      await pass(20_000)
      assert.deepEqual(idsOf(upstream), ['a'])
      assert.equal(upstream.view().sources[0]!.error, 'web: the engine is unreachable; it is watched again')
      isCut = false
      await until(() => upstream.endpoints.length === 2)
      assert.equal(upstream.view().sources[0]!.state, 'ready')
      upstream.close()
    }))

  test('with a plane of connect(), opened at the first watch; bad metadata is told and does no harm', async () => {
    const synod = await connect('memory:')
    const node = createNodeRuntime({ logLevel: 'error', writeLogLine: () => {} })
    let attempts = 0
    const registry = lazyServiceInstances(async () => {
      if (attempts++ === 0) throw new Error('not reachable yet')
      return synod.registry
    })
    const upstream = openUpstream(settingsOf({ sources: [{ type: 'registry', service: 'web' }] }), {
      ...node,
      registry,
    })
    try {
      const metadata = { weight: 'heavy' }
      await synod.registry.register({ service: 'web', id: 'a', address: '10.0.0.1', port: 80, metadata })
      await synod.registry.register({ service: 'web', id: 'b', address: '10.0.0.2' })
      const deadline = AbortSignal.timeout(10_000)
      await upstream.ready(deadline)
      while (upstream.endpoints.length < 1 || !/no port/.test(upstream.view().sources[0]!.error)) {
        deadline.throwIfAborted()
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.equal(attempts, 2)
      assert.equal(upstream.endpoints[0]!.address.weight, 1)
      const seen: readonly Instance[] = await synod.registry.instances('web')
      assert.equal(seen.length, 2)
    } finally {
      upstream.close()
      await synod.close()
    }
  })
})
