import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { ProxyConfig } from '../config/index.ts'
import { type ProxyWorker, startWorker, type WorkerOutside } from './index.ts'
import { configOf, machine } from './testing/worker-on-machine.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-worker-'))
const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true })]
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

const outside = machine()

function parse(text: string): ProxyConfig {
  return configOf(text, folder)
}

async function backend(name: string): Promise<number> {
  const server = http.createServer((request, response) => {
    request.resume()
    request.on('end', () => response.end(`${name} ${request.url}`))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

async function started(text: string): Promise<ProxyWorker> {
  const worker = await startWorker(parse(text), outside)
  cleanups.push(() => worker.stop())
  return worker
}

function portOf(worker: ProxyWorker, name: string): number {
  return worker.view().listeners.find((listener) => listener.name === name)!.port
}

function get(port: number, path: string, agent?: http.Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path, agent }, (response) => {
      let body = ''
      response.on('data', (bytes: Buffer) => {
        body += bytes.toString()
      })
      response.on('end', () => resolve({ status: response.statusCode!, body }))
    })
    request.on('error', reject)
  })
}

async function getHttp2(port: number, path: string): Promise<string> {
  const session = http2.connect(`http://127.0.0.1:${port}`)
  const stream = session.request({ ':path': path })
  let body = ''
  for await (const bytes of stream) body += String(bytes)
  session.close()
  return body
}

function httpText(port: number, to: number, listenerPort = 0, more = ''): string {
  return `
listeners:
  - name: web
    address: 127.0.0.1:${listenerPort}
    protocol: http
    routes: [{ path: /, to: app }]
${more}
upstreams:
  app: { endpoints: [127.0.0.1:${to}] }
# ${port}
`
}

test('a new upstream gets requests once its endpoints are known, at the start and at a reload', async () => {
  const port = await backend('app')
  /** Lets the registry answer, by service. */
  const answers = new Map<string, () => void>()
  const registry: NonNullable<WorkerOutside['registry']> = {
    async *watch(service) {
      await new Promise<void>((resolve) => answers.set(service, resolve))
      yield [{ id: 'a', address: '127.0.0.1', port, metadata: {}, healthy: true, reason: '' }]
    },
  }
  const text = (service: string): string => `
registry: synod://127.0.0.1:1
listeners: [{ name: web, address: '127.0.0.1:0', routes: [{ path: /, to: ${service} }] }]
upstreams: { ${service}: { registry: ${service} } }
`
  const answered = async (service: string): Promise<void> => {
    while (!answers.has(service)) await new Promise((resolve) => setImmediate(resolve))
    // Whoever did not wait would have asked by now.
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    answers.get(service)!()
  }
  const starting = startWorker(parse(text('first')), { ...outside, registry })
  await answered('first')
  const worker = await starting
  cleanups.push(() => worker.stop())
  assert.deepEqual(await get(portOf(worker, 'web'), '/one'), { status: 200, body: 'app /one' })
  const reloading = worker.reconfigure(parse(text('second')))
  while (!answers.has('second')) await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(await get(portOf(worker, 'web'), '/two'), { status: 200, body: 'app /two' })
  await answered('second')
  await reloading
  assert.deepEqual(await get(portOf(worker, 'web'), '/three'), { status: 200, body: 'app /three' })
  assert.deepEqual(
    worker.view().upstreams.map(({ name }) => name),
    ['second'],
  )
})

test('HTTP/1.1 and HTTP/2 on one plain port, and TCP on another', async () => {
  const app = await backend('app')
  const tcp = `  - { name: raw, address: 127.0.0.1:0, protocol: tcp, to: app }`
  const worker = await started(httpText(0, app, 0, tcp))
  assert.deepEqual(await get(portOf(worker, 'web'), '/one'), { status: 200, body: 'app /one' })
  assert.equal(await getHttp2(portOf(worker, 'web'), '/two'), 'app /two')
  assert.deepEqual(await get(portOf(worker, 'raw'), '/three'), { status: 200, body: 'app /three' })
})

test('a change takes effect on open connections, and drops none of their requests', async () => {
  const [one, two] = [await backend('one'), await backend('two')]
  const worker = await started(httpText(0, one))
  const port = portOf(worker, 'web')
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 })
  cleanups.push(() => agent.destroy())
  let isDone = false
  const bodies = new Set<string>()
  let requests = 0
  const load = Array.from({ length: 4 }, async () => {
    while (!isDone) {
      const { status, body } = await get(port, '/x', agent)
      assert.equal(status, 200)
      bodies.add(body)
      requests++
    }
  })
  for (let i = 0; i < 20; i++) {
    const before = requests
    // The listener keeps its address: port 0 goes by its name.
    await worker.reconfigure(parse(httpText(i, i % 2 === 0 ? two : one)))
    while (requests < before + 20) await new Promise((resolve) => setImmediate(resolve))
  }
  isDone = true
  await Promise.all(load)
  assert.deepEqual([...bodies].sort(), ['one /x', 'two /x'])
  assert.equal(portOf(worker, 'web'), port)
  assert.equal(worker.view().listeners[0]!.accepted, 4)
  assert.equal(worker.view().configVersion, 21)
})

test('a change that cannot be made changes nothing', async () => {
  const app = await backend('app')
  const worker = await started(httpText(0, app))
  const taken = net.createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  cleanups.push(() => taken.close())
  const { port } = taken.address() as net.AddressInfo
  const more = `  - { name: other, address: 127.0.0.1:${port}, protocol: tcp, to: app }`
  await assert.rejects(worker.reconfigure(parse(httpText(0, 1, 0, more))), {
    name: 'ListenError',
    code: 'ADDRESS_IN_USE',
  })
  assert.equal((await get(portOf(worker, 'web'), '/')).body, 'app /')
  assert.equal(worker.view().configVersion, 1)
  assert.equal(worker.view().listeners.length, 1)
})

test('a listener that goes closes its port; what it serves is finished first', async () => {
  let release = (): void => {}
  const slow = http.createServer((_request, response) => {
    release = () => response.end('late')
  })
  slow.listen(0, '127.0.0.1')
  await once(slow, 'listening')
  cleanups.push(() => slow.close())
  const to = (slow.address() as net.AddressInfo).port
  const keeper = `  - { name: keeper, address: 127.0.0.1:0, protocol: tcp, to: app }`
  const worker = await started(httpText(0, to, 0, keeper))
  const port = portOf(worker, 'web')
  const arrived = once(slow, 'request')
  const answer = get(port, '/')
  await arrived
  await worker.reconfigure(parse(`listeners:\n${keeper}\nupstreams:\n  app: { endpoints: [127.0.0.1:${to}] }\n`))
  await assert.rejects(get(port, '/'), { code: 'ECONNREFUSED' })
  release()
  assert.equal((await answer).body, 'late')
})

test('a drain finishes requests under way, refuses new ones, and writes the log', async () => {
  const app = await backend('app')
  const log = join(folder, 'access.log')
  const worker = await startWorker(parse(`accessLog: { file: ${log} }\n${httpText(0, app)}`), outside)
  const port = portOf(worker, 'web')
  await get(port, '/logged')
  await worker.drain(10_000)
  await assert.rejects(get(port, '/'), { code: 'ECONNREFUSED' })
  assert.match(readFileSync(log, 'utf8'), /"GET \/logged HTTP\/1\.1" 200/)
})
