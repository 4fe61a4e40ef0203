// Spellings of a path or a host that might slip past a route: whatever reaches the server behind the open route, read as
// a server would, lies outside of what the closed one guards.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as tls from 'node:tls'
import { type ProxyProcess, startProxy } from './proxy-process.ts'
import { type Recorder, sendRaw, startRecorder } from './torture-ground.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
let folder = ''
let recorder: Recorder
let proxy: ProxyProcess

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synod-torture-'))
  recorder = await startRecorder()
  if (hasOpenssl) {
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=a']
    const files = ['-keyout', join(folder, 'a.key'), '-out', join(folder, 'a.pem')]
    execFileSync('openssl', ['req', '-x509', ...kind, ...files], { stdio: 'pipe' })
  }
  proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:
  - name: web
    address: '127.0.0.1:0'
    routes:
      - { host: [admin.internal, '*.secret.internal'], respond: 403 }
      - { path: /private, respond: 403 }
      - { path: /shown, to: app, rewrite: { path: /public } }
      - { path: { regex: '^/any/(.*)$' }, to: app, rewrite: { path: '/public/$1' } }
      - { path: /, to: app }
  - { name: hello, address: '127.0.0.1:0', protocol: tls-passthrough, to: app }
${hasOpenssl ? `  - { name: secure, address: '127.0.0.1:0', tls: { cert: a.pem, key: a.key }, routes: [{ path: /, to: app }] }` : ''}
upstreams:
  app: { endpoints: ['127.0.0.1:${recorder.port}'] }
`,
  )
})

after(async () => {
  await proxy.kill()
  recorder.close()
  rmSync(folder, { recursive: true })
})

async function ask(target: string, host = 'shop.example'): Promise<number> {
  const { statuses } = await sendRaw(
    proxy.port('web'),
    `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  )
  return statuses[0] ?? 0
}

/** As servers read a path: decoded, `\` for `/`, without parameters; then dots and doubled slashes taken out. */
function readings(line: string): string[] {
  const path = line.split(' ')[1]!.split('?')[0]!
  const decode = (text: string): string =>
    text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const once = decode(path)
  const variants = [path, once, once.replaceAll('\\', '/'), once.replace(/;[^/]*/g, '')]
  return variants.map((variant) => {
    const segments: string[] = []
    for (const part of variant.split('/')) {
      if (part === '..') segments.pop()
      else if (part !== '' && part !== '.') segments.push(part)
    }
    return `/${segments.join('/')}`
  })
}

const separators = [
  '/',
  '//',
  '/./',
  '/%2e/',
  '%2f',
  '%2F',
  '/x/../',
  '/x;y/../',
  '/x/%2e%2e/',
  '/x/%2E./',
  '/x%2f../',
  '/x/..%2f',
  '/x/..;/',
  '/x/..;a=b/',
  '/;/',
  '/%5c',
  '/x/..%5c',
  '/%2e%2e/',
  '/../',
]
const names = [
  'private',
  '%70rivate',
  'p%72ivate',
  '%2570rivate',
  'private/',
  'private/x',
  'private%2fx',
  'private%2Fx',
  'private/.',
  'private/x/..',
  'private/..',
  'private;x',
  'private%3bx',
  'private%3fx',
  'private%23',
  'private?x',
  'private%00',
  'private%20',
  'private%0a',
  'private.',
  'private//',
]

test('no spelling of a closed path gets behind it', async () => {
  let passed = 0
  for (const separator of separators) {
    for (const name of names) {
      const target = `${separator.startsWith('/') ? '' : '/'}${separator}${name}`
      recorder.reset()
      const status = await ask(target)
      if (status !== 200) {
        assert.ok(status === 400 || status === 403, `${target}: ${status}`)
        assert.equal(recorder.text(), '')
        continue
      }
      passed++
      const { line } = recorder.requests[0]!
      for (const path of readings(line)) {
        assert.ok(path !== '/private' && !path.startsWith('/private/'), `${target} went on as ${line}, read as ${path}`)
      }
    }
  }
  assert.ok(passed > 20, 'others do pass')
})

test('nor does a rewrite lead out of its folder', async () => {
  for (const base of ['/shown', '/any']) {
    for (const rest of [
      '/../private',
      '/%2e%2e/private',
      '/..%2fprivate',
      '/..%5cprivate',
      '../private',
      '/x/../../private',
      '/..;/private',
      '%2f..%2fprivate',
      '/%252e%252e/private',
      '//private',
      '/a%3f/../b',
      '/%22%3c',
    ]) {
      recorder.reset()
      const status = await ask(base + rest)
      if (status !== 200) {
        assert.ok(status === 400 || status === 403, `${base}${rest}: ${status}`)
        continue
      }
      const { line } = recorder.requests[0]!
      assert.match(line, /^GET \/[-._~%!$&'()*+,;=:@/?A-Za-z0-9]* HTTP\/1\.1$/, line)
      for (const path of readings(line)) assert.ok(!path.startsWith('/private'), `${base}${rest} went on as ${line}`)
    }
  }
})

test('no spelling of a closed host gets behind it', async () => {
  recorder.reset()
  for (const host of [
    'admin.internal',
    'ADMIN.Internal',
    'admin.internal:80',
    'admin.internal.',
    'admin.internal.:80',
    'a.secret.internal',
    'A.B.SECRET.internal.',
    'admin.internal:65535',
  ]) {
    assert.equal(await ask('/', host), 403, host)
    assert.equal(await ask(`http://${host}/`, 'shop.example'), 403, `absolute: ${host}`)
    assert.equal(await ask('http://shop.example/', host), 200, `the absolute form decides: ${host}`)
  }
  assert.ok(
    recorder.requests.every(({ fields }) =>
      fields.some(([name, value]) => name === 'host' && value === 'shop.example'),
    ),
  )
  // What is another spelling only for a server that decodes names is none here, and must not arrive.
  for (const host of [
    'admin%2einternal',
    '%61dmin.internal',
    'admin.internal%00',
    'admin.internal..',
    'admin.internal,x',
    'admin.internal;x',
  ]) {
    recorder.reset()
    const status = await ask('/', host)
    if (status === 200) assert.ok(recorder.text().includes(`host: ${host}\r\n`), 'unchanged')
    else assert.ok(status === 400 || status === 403)
  }
})

test('junk where a ClientHello should be, and clients that break off in the handshake', async (context) => {
  const hello = await new Promise<Buffer>((resolve) => {
    const server = net.createServer((socket) => {
      socket.once('data', (bytes: Buffer) => {
        resolve(bytes)
        socket.destroy()
        server.close()
      })
    })
    server.listen(0, '127.0.0.1', () => {
      const client = tls.connect({
        port: (server.address() as net.AddressInfo).port,
        host: '127.0.0.1',
        servername: 'a.example',
      })
      client.on('error', () => {})
    })
  })
  const changed = (at: number): Buffer => {
    const bytes = Buffer.from(hello)
    bytes[at % bytes.length]! ^= 0xff
    return bytes
  }
  for (const listener of hasOpenssl ? ['hello', 'secure'] : ['hello']) {
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const socket = net.connect({ port: proxy.port(listener), host: '127.0.0.1' })
        socket.on('error', () => {})
        await new Promise((resolve) => socket.once('connect', resolve))
        const junk =
          i % 4 === 0 ? randomBytes(500) : i % 4 === 1 ? changed(i) : i % 4 === 2 ? hello.subarray(0, i) : hello
        await new Promise((resolve) => socket.write(junk, resolve))
        if (i % 2 === 0) socket.resetAndDestroy()
        else socket.end()
        await new Promise((resolve) => (socket.destroyed ? resolve(undefined) : setImmediate(resolve)))
        socket.destroy()
      }),
    )
  }
  if (!hasOpenssl) context.diagnostic('openssl is not installed: TLS termination is left out')
  else {
    const secure = tls.connect({ port: proxy.port('secure'), host: '127.0.0.1', rejectUnauthorized: false })
    const text = await new Promise<string>((resolve, reject) => {
      let all = ''
      secure.on('data', (bytes: Buffer) => {
        all += bytes.toString()
      })
      secure.on('end', () => resolve(all))
      secure.on('error', reject)
      secure.write('GET /tls HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    })
    assert.match(text, /^HTTP\/1\.1 200 /)
  }
  assert.equal(await ask('/still'), 200)
  assert.equal(proxy.child.exitCode, null)
  assert.doesNotMatch(proxy.log(), /Error:/)
})
