import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, type TestContext, test } from 'node:test'
import { createNodeRuntime, createTlsNetwork, NodeCommands } from '../../runtime/node/index.ts'
import { GrpcServer, HealthStatus, healthRoutes } from '../../wire/grpc/index.ts'
import { type ActiveCheckSettings, openUpstream, type Upstream, type UpstreamOptions } from '../upstream/index.ts'
import { address, onUpstreamGround, settingsOf, spread, staticSource } from '../upstream/testing/upstream-ground.ts'

const runtime = { ...createNodeRuntime({ logLevel: 'error' }), commands: new NodeCommands() }
const pace = { intervalMs: 20, timeoutMs: 5000, healthyAfter: 2, unhealthyAfter: 2 }

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

function opened(
  t: TestContext,
  ports: readonly number[],
  check: ActiveCheckSettings['check'],
  options?: UpstreamOptions,
): Upstream {
  const endpoints = ports.map((port) => address(String(port), { host: '127.0.0.1', port }))
  const sources = [{ type: 'static', endpoints }] as const
  const upstream = openUpstream(settingsOf({ sources, activeCheck: { check, ...pace } }), runtime, options)
  t.after(() => upstream.close())
  return upstream
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(10_000)
  while (!holds()) {
    if (deadline.aborted) throw new Error(`it does not come about: ${holds}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function states(upstream: Upstream): string[] {
  return upstream.endpoints.map(({ state }) => state)
}

suite('active checks of real servers', () => {
  test('http: by status, followed as it changes', async (t) => {
    let status = 200
    const asked = new Set<string>()
    const server = createServer((request, response) => {
      asked.add(`${request.url} ${request.headers.host}`)
      response.writeHead(status).end()
    })
    const port = await listening(t, server)
    const dead = createTcpServer()
    const deadPort = await listening(t, dead)
    await new Promise((resolve) => dead.close(resolve))
    const check = { type: 'http', path: '/up?x=1', host: 'shop.example', statusMin: 200, statusMax: 299 } as const
    const upstream = opened(t, [port, deadPort], check)
    assert.deepEqual(states(upstream), ['unknown', 'unknown'])
    await until(() => states(upstream).join() === 'ready,unhealthy')
    assert.match(upstream.endpoints[1]!.reason, /refused/)
    assert.deepEqual([...asked], ['/up?x=1 shop.example'])
    assert.deepEqual(spread(upstream, 4), { [port]: 4 })
    assert.ok(upstream.view().endpoints[0]!.phi! < 8)
    status = 404
    await until(() => states(upstream)[0] === 'unhealthy')
    assert.match(upstream.endpoints[0]!.reason, /status 404/)
    status = 204
    await until(() => states(upstream)[0] === 'ready')
  })

  test('tcp, and gRPC health', async (t) => {
    const tcp = await listening(
      t,
      createTcpServer((socket) => socket.on('error', () => {}).resume()),
    )
    const plain = opened(t, [tcp], { type: 'tcp' })
    await until(() => states(plain)[0] === 'ready')

    let status: HealthStatus = HealthStatus.serving
    const statusOf = (service: string) => (service === 'shop.Orders' ? status : undefined)
    const routes = [healthRoutes({ status: statusOf, onChange: () => () => {} })]
    const server = new GrpcServer({ routes, clock: runtime.clock, scheduler: runtime.scheduler })
    const listener = await runtime.network.listen({ host: '127.0.0.1', port: 0 }, (connection) =>
      connection.setHandler(server.accept(connection)),
    )
    t.after(() => listener.close())
    const checked = opened(t, [listener.address.port], { type: 'grpc', service: 'shop.Orders' })
    await until(() => states(checked)[0] === 'ready')
    status = HealthStatus.notServing
    await until(() => states(checked)[0] === 'unhealthy')
    assert.match(checked.endpoints[0]!.reason, /not serving/)
  })

  test('script: by exit status, with what it said', async (t) => {
    const command = ['/bin/sh', '-c', 'echo "asked for $1:$2" >&2; exit 1', 'check']
    const upstream = opened(t, [4000], { type: 'script', command })
    await until(() => states(upstream)[0] === 'unhealthy')
    assert.equal(upstream.endpoints[0]!.reason, '/bin/sh ended with 1: asked for 127.0.0.1:4000')
    const good = opened(t, [4000], { type: 'script', command: ['/bin/sh', '-c', 'test "$2" = 4000', 'check'] })
    await until(() => states(good)[0] === 'ready')
    const missing = opened(t, [4000], { type: 'script', command: ['/no/such/program'] })
    await until(() => states(missing)[0] === 'unhealthy')
    assert.match(missing.endpoints[0]!.reason, /did not run to its end: .*ENOENT/)
  })

  test('over TLS: a server that the caller does not trust is unhealthy', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-checks-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const made = spawnSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
      ].concat(subject),
    )
    assert.equal(made.status, 0, String(made.stderr))
    const [keyText, certText] = [readFileSync(key), readFileSync(cert)]
    const server = createTlsServer({ key: keyText, cert: certText }, (_request, response) => response.end())
    const port = await listening(t, server)
    const check = { type: 'http', path: '/', host: '', statusMin: 200, statusMax: 399 } as const
    const trusting = createTlsNetwork({ ca: certText, alpnProtocols: ['http/1.1'] })
    const good = opened(t, [port], check, { checkNetwork: trusting })
    await until(() => states(good)[0] === 'ready')
    const bad = opened(t, [port], check, { checkNetwork: createTlsNetwork({ alpnProtocols: ['http/1.1'] }) })
    await until(() => states(bad)[0] === 'unhealthy')
    assert.match(bad.endpoints[0]!.reason, /self-signed/)
  })
})

suite('checks for other processes', () => {
  const activeCheck = { check: { type: 'tcp' }, ...pace } as const

  test('one checks, another applies what it finds, also of endpoints that it hears of later', () =>
    onUpstreamGround(1, async ({ open, runtime: world, until: comes }) => {
      const listener = await world.network.listen({ host: 'machine', port: 80 }, (connection) =>
        connection.setHandler({ onData() {}, onClose() {} }),
      )
      const endpoints = [address('a', { host: 'machine' }), address('b', { host: 'machine', port: 81 })]
      const sources = [{ type: 'static', endpoints }] as const
      const checking = open({ sources, activeCheck })
      const told = open({ sources: [], activeCheck }, { activeChecks: false })
      let changes = 0
      checking.onHealthChange(() => {
        changes++
        told.importHealth(JSON.parse(JSON.stringify(checking.exportHealth())))
      })
      await comes(() => checking.endpoints[1]!.state === 'unhealthy')
      assert.ok(changes >= 2)
      told.reconfigure(settingsOf({ sources, activeCheck }))
      assert.deepEqual(states(told), ['ready', 'unhealthy'])
      assert.equal(told.endpoints[1]!.reason, checking.endpoints[1]!.reason)
      await listener.close()
      await comes(() => told.endpoints[0]!.state === 'unhealthy')
      assert.equal(told.view().endpoints[0]!.phi! >= 0, true)
    }))

  test('an endpoint whose checks hang becomes suspect, then unhealthy; unknown ones serve while none is ready', () =>
    onUpstreamGround(2, async ({ open, runtime: world, pass }) => {
      let isStopped = false
      await world.network.listen({ host: 'machine', port: 80 }, (connection) => {
        connection.setHandler({
          onData: () => {
            if (!isStopped) connection.write(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))
          },
          onClose() {},
        })
      })
      const check = { type: 'http', path: '/', host: '', statusMin: 200, statusMax: 399 } as const
      const endpoints = [address('a', { host: 'machine' })]
      const upstream = open({
        sources: [{ type: 'static', endpoints }],
        activeCheck: { check, intervalMs: 1000, timeoutMs: 500, healthyAfter: 2, unhealthyAfter: 3 },
      })
      assert.deepEqual(spread(upstream, 2), { a: 2 })
      await pass(20_000)
      assert.ok(upstream.view().endpoints[0]!.phi! < 3)
      isStopped = true
      await pass(2_500)
      assert.equal(upstream.endpoints[0]!.state, 'ready')
      assert.ok(upstream.view().endpoints[0]!.phi! > 8)
      await pass(1_500)
      assert.equal(upstream.endpoints[0]!.state, 'unhealthy')
      assert.equal(upstream.endpoints[0]!.reason, 'no answer in 500 ms')
    }))

  test('without checks nothing is said of health', () =>
    onUpstreamGround(3, async ({ open }) => {
      const upstream = open({ sources: [staticSource('a')] })
      assert.deepEqual(upstream.exportHealth(), { upstream: 'orders', endpoints: [] })
      upstream.importHealth({ upstream: 'orders', endpoints: [{ id: 'a', health: 'unhealthy', reason: 'x', phi: 1 }] })
      assert.deepEqual(states(upstream), ['ready'])
    }))
})
