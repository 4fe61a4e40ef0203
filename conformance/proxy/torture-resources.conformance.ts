// Clients that want to use the proxy up: many, slow, or both. Its own connections end, others are served, and the memory
// of the process stays within bounds that are stated here.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'
import { okAnswer, type Recorder, sendRaw, startRecorder } from './torture-ground.ts'

let folder = ''
let recorder: Recorder
let proxy: ProxyProcess
/** Accepts, and never reads or answers. */
let deaf: net.Server
const deafSockets = new Set<net.Socket>()

/** More than the buffers of the system hold for one connection. */
const bigBody = Buffer.alloc(16 << 20, 'x')

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synod-torture-'))
  recorder = await startRecorder(({ line }, socket) => {
    if (line.includes('/big')) {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${bigBody.length}\r\n\r\n`)
      socket.write(bigBody)
      return undefined
    }
    if (line.includes('/socket')) {
      // No requests from here on.
      socket.removeAllListeners('data')
      socket.resume()
      return 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
    }
    if (line.includes('/slow')) {
      setTimeout(() => !socket.destroyed && socket.write(okAnswer), 200).unref()
      return undefined
    }
    return okAnswer
  })
  deaf = net.createServer({ pauseOnConnect: true }, (socket) => {
    deafSockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => deafSockets.delete(socket))
  })
  deaf.listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
accessLog: access.log
listeners:
  - name: web
    address: '127.0.0.1:0'
    connectionsMax: 12000
    limits: { headTimeout: 1s, bodyIdleTimeout: 1s, idleTimeout: 20s }
    routes:
      - { path: { regex: '^/loop/(?:(a|a)*)!$' }, to: app }
      - { path: { regex: '^/fold/(?:(a|a)*)!$', ignoreCase: true }, to: app }
      - { path: /socket, to: app, timeouts: { upgradedIdle: 500ms } }
      - { path: /mirrored, to: app, mirror: deaf }
      - { path: /slow, to: slow, retry: { attempts: 5, hedgeAfter: 10ms } }
      - { path: /limited, to: app, rateLimit: 1/m }
      - { path: /, to: app }
  - name: patient
    address: '127.0.0.1:0'
    routes: [{ path: /, to: deaf }]
  - name: headed
    address: '127.0.0.1:0'
    proxyProtocolFrom: 127.0.0.0/8
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${recorder.port}'] }
  slow: { endpoints: ['127.0.0.1:${recorder.port}'] }
  deaf: { endpoints: ['127.0.0.1:${(deaf.address() as net.AddressInfo).port}'] }
`,
  )
})

after(async () => {
  await proxy.kill()
  recorder.close()
  deaf.close()
  for (const socket of deafSockets) socket.destroy()
  rmSync(folder, { recursive: true })
})

/** Resident memory of the proxy, which is one process. */
function residentMb(): number {
  const status = readFileSync(`/proc/${proxy.processId}/status`, 'latin1')
  return Number(/VmRSS:\s+([0-9]+)/.exec(status)![1]) / 1_024
}

async function serves(path = '/well'): Promise<void> {
  const { text } = await sendRaw(proxy.port('web'), `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)
  assert.match(text, /^HTTP\/1\.1 200 /, `${path}: ${text}`)
}

interface Crowd {
  readonly sockets: readonly net.Socket[]
  readonly open: () => number
  /** Statuses that came. */
  readonly statuses: () => Readonly<Record<string, number>>
  close(): void
}

/** So many connections that send `text` and stay; with `reads` false they take nothing. */
async function crowd(count: number, text: string, reads = true, listener = 'web'): Promise<Crowd> {
  const sockets: net.Socket[] = []
  const statuses: Record<string, number> = {}
  let open = 0
  for (let start = 0; start < count; start += 500) {
    const batch = Array.from({ length: Math.min(500, count - start) }, async () => {
      const socket = net.connect({ port: proxy.port(listener), host: '127.0.0.1' })
      sockets.push(socket)
      open++
      socket.on('error', () => {})
      socket.once('close', () => open--)
      if (reads) {
        socket.on('data', (bytes: Buffer) => {
          const status = bytes.latin1Slice(9, 12)
          statuses[status] = (statuses[status] ?? 0) + 1
        })
      } else socket.pause()
      await once(socket, 'connect')
      if (text !== '') socket.write(text, 'latin1')
    })
    await Promise.all(batch)
  }
  return {
    sockets,
    open: () => open,
    statuses: () => statuses,
    close: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

test('10,000 connections that say nothing: within 150 MB more, others served, all closed after the time for a head', async (context) => {
  const before = residentMb()
  const idle = await crowd(10_000, '')
  await serves()
  const grown = residentMb() - before
  context.diagnostic(`${grown.toFixed(0)} MB`)
  assert.ok(grown < 150, `${grown.toFixed(0)} MB for 10,000 connections`)
  await until('all are closed', () => idle.open() === 0)
})

test('slow heads of 30 KB: 408, and closed', async () => {
  const before = residentMb()
  const slow = await crowd(1_000, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(30_000)}`)
  await serves()
  await until('all are closed', () => slow.open() === 0)
  assert.deepEqual(slow.statuses(), { 408: 1_000 })
  assert.ok(residentMb() - before < 200, `${(residentMb() - before).toFixed(0)} MB`)
})

test('slow bodies: 408, and closed', async () => {
  const slow = await crowd(500, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf')
  await serves()
  await until('all are closed', () => slow.open() === 0)
  assert.deepEqual(slow.statuses(), { 408: 500 })
})

test('clients that ask for much and take nothing: a bound for each, and dropped', async (context) => {
  const before = residentMb()
  const slow = await crowd(200, 'GET /big HTTP/1.1\r\nHost: a\r\n\r\n', false)
  await serves()
  let highest = 0
  await until('all are given up', async () => {
    highest = Math.max(highest, residentMb() - before)
    return (await active()) === 0
  })
  slow.close()
  context.diagnostic(`${highest.toFixed(0)} MB`)
  // 128 KiB wait for each, and a piece of 64 KiB that was read meanwhile.
  assert.ok(highest < 120, `${highest.toFixed(0)} MB for 200 clients`)
})

/** Requests under way. */
async function active(): Promise<number> {
  const { body } = await proxy.ask('GET', '/metrics')
  const counts = [...body.matchAll(/^synod_proxy_\w*active\w*\{[^}]*\} ([0-9]+)$/gm)].map((match) => Number(match[1]))
  return counts.reduce((sum, count) => sum + count, 0)
}

test('bodies in chunks of one octet, to a server that takes nothing: their size in memory, not a hundred times it', async (context) => {
  const before = residentMb()
  // 60 KiB of body in 360 KiB; kept for another attempt, and waiting for the server.
  const chunks = '1\r\nx\r\n'.repeat(60 << 10)
  const head = 'POST /deaf HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
  const flood = await crowd(100, head + chunks, true, 'patient')
  await until('they have arrived', () => deafSockets.size >= 100)
  await until('all is read', () => flood.sockets.every((socket) => socket.destroyed || socket.writableLength === 0))
  await serves()
  const grown = residentMb() - before
  context.diagnostic(`${grown.toFixed(0)} MB`)
  assert.ok(grown < 200, `${grown.toFixed(0)} MB for 6 MB of bodies`)
  flood.close()
  await until('they are over', async () => (await active()) === 0)
})

test('expressions of routes that step back for ever do not', async () => {
  for (const path of ['/loop/', '/fold/']) await serves(`${path}${'a'.repeat(200)}`)
  await serves(`/loop/${'a'.repeat(200)}!`)
  await serves(`/fold/${'A'.repeat(200)}!`)
})

test('a WebSocket and then silence: both sides are closed', async () => {
  const { text, ended } = await sendRaw(
    proxy.port('web'),
    'GET /socket HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
  )
  assert.match(text, /^HTTP\/1\.1 101 /)
  assert.ok(ended)
})

test('mirrors to a server that never answers: requests are served, and copies are dropped past their bound', async () => {
  const before = deafSockets.size
  for (let i = 0; i < 3; i++) {
    const asked = await crowd(500, 'GET /mirrored HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    await until('all are answered', () => asked.open() === 0)
    assert.deepEqual(asked.statuses(), { 200: 500 })
  }
  const { body } = await proxy.ask('GET', '/metrics')
  const dropped = Number(/mirror\w*dropped\w*(?:\{[^}]*\})? ([0-9]+)/.exec(body)?.[1] ?? -1)
  assert.ok(
    dropped > 0,
    body
      .split('\n')
      .filter((line) => line.includes('mirror'))
      .join('\n'),
  )
  assert.ok(deafSockets.size - before <= 1_024, `${deafSockets.size - before} connections to the mirror`)
})

test('hedges do not multiply the load', async () => {
  recorder.reset()
  const asked = await crowd(400, 'GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await until('all are answered', () => asked.open() === 0)
  assert.deepEqual(asked.statuses(), { 200: 400 })
  const arrived = recorder.requests.filter(({ line }) => line.includes('/slow')).length
  assert.ok(arrived >= 400 && arrived <= 600, `${arrived} for 400`)
})

test('a limit for each client cannot be got around by saying to be another', async () => {
  const statuses: number[] = []
  for (let i = 0; i < 5; i++) {
    const outcome = await sendRaw(
      proxy.port('web'),
      `GET /limited HTTP/1.1\r\nHost: a${i}\r\nX-Forwarded-For: 10.0.0.${i}\r\nForwarded: for=10.0.0.${i}\r\nX-Real-IP: 10.0.0.${i}\r\nConnection: close\r\n\r\n`,
    )
    statuses.push(...outcome.statuses)
  }
  assert.deepEqual(statuses, [200, 429, 429, 429, 429])
})

test('junk where a PROXY header should be: closed without a word, and well-formed ones are taken', async () => {
  const v2 = (...bytes: readonly number[]): string => `\r\n\r\n\0\r\nQUIT\n${String.fromCharCode(...bytes)}`
  const request = 'GET /junk HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
  for (const junk of [
    request,
    'PROXY\r\n',
    'PROXY TCP4 1.2.3.4\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n',
    'PROXY TCP4 1.2.3.4\x00 5.6.7.8 1 2\r\n',
    'PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n',
    `PROXY TCP4 ${'1'.repeat(200)}`,
    ` PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n`,
    v2(0x11, 0x11, 0, 12),
    v2(0x2f, 0x11, 0, 12),
    v2(0x21, 0xff, 0, 12),
    v2(0x21, 0x11, 0, 4, 1, 2, 3, 4),
    v2(0x21, 0x11, 0xff, 0xff),
    v2(0x21, 0x12, 0, 12, ...new Array<number>(12).fill(1)),
  ]) {
    const { text, ended } = await sendRaw(proxy.port('headed'), junk + request)
    assert.deepEqual({ text, ended }, { text: '', ended: true }, JSON.stringify(junk.slice(0, 40)))
  }
  recorder.reset()
  const good = await sendRaw(proxy.port('headed'), `PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n${request}`)
  assert.deepEqual(good.statuses, [200])
  assert.match(recorder.text(), /x-forwarded-for: 1\.2\.3\.4\r\n/)
})

test('nothing that a client sends makes a second line of the access log, or breaks one', async () => {
  const agents = ['"', '\\', '" 200 0 "-" "-"', '\\x0a', '\t', '\x80\xff', '%0a%0d', '$' + '{jndi:x}', '\\"']
  for (const [i, agent] of agents.entries()) {
    await sendRaw(
      proxy.port('web'),
      `GET /log-${i}?q=%0a%22 HTTP/1.1\r\nHost: a\r\nReferer: ${agent}x\r\nUser-Agent: x${agent}x\r\nConnection: close\r\n\r\n`,
    )
  }
  const read = (): string[] => readFileSync(join(folder, 'access.log'), 'latin1').split('\n').slice(0, -1)
  await until('all are logged', () => read().filter((line) => line.includes('/log-')).length >= agents.length)
  const text = '(?:[ !#-\\[\\]-~]|\\\\x[0-9A-F]{2})*'
  const pattern = new RegExp(`^[0-9.]+ - - \\[[^\\]]+\\] "${text}" [0-9]{3} [0-9]+ "${text}" "${text}"$`)
  for (const line of read()) assert.match(line, pattern)
})

test('the admin pages answer to no web page and no other name', async () => {
  const { admin } = proxy
  const ask = async (fields: string, line = 'POST /drain HTTP/1.1'): Promise<number | undefined> =>
    (await sendRaw(admin, `${line}\r\n${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`)).statuses[0]
  const own = `Host: 127.0.0.1:${admin}\r\n`
  for (const fields of [
    `${own}Origin: https://evil.example\r\n`,
    `${own}Origin: null\r\n`,
    `${own}Origin: http://127.0.0.1:${admin}\r\n`,
    `${own}Sec-Fetch-Site: cross-site\r\n`,
    `Host: evil.example:${admin}\r\n`,
    `Host: 127.0.0.1.evil.example\r\n`,
    `Host: localhost.evil.example\r\n`,
  ]) {
    assert.equal(await ask(fields), 403, fields)
    assert.equal(await ask(fields, 'GET /status HTTP/1.1'), 403, fields)
    const preflight = await sendRaw(admin, `OPTIONS /drain HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`)
    assert.ok(preflight.statuses[0]! >= 400 && !/access-control/i.test(preflight.text), preflight.text)
  }
  assert.equal(await ask(own, 'GET /drain HTTP/1.1'), 405)
  assert.equal(await ask(own, 'GET /health HTTP/1.1'), 200)
  await serves()
})

test('what it began with: served, and the memory is given back', async () => {
  await until('no request is under way', async () => (await active()) === 0)
  await serves()
  assert.ok(residentMb() < 600, `${residentMb().toFixed(0)} MB at the end`)
  assert.equal(proxy.child.exitCode, null)
  assert.doesNotMatch(proxy.log(), /InvariantError|TypeError|RangeError|UnhandledPromise/)
})
