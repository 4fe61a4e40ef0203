// TLS termination and the PROXY protocol, judged by openssl, curl and HAProxy.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { startBackend, startProxy, until } from './proxy-process.ts'

const exec = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-tls-'))
const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true })]
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

function missing(program: string, ...args: readonly string[]): string | false {
  return spawnSync(program, args).status === 0 ? false : `${program} is not installed`
}

function makeCertificate(file: string, name: string): void {
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const files = ['-keyout', join(folder, `${file}.key`), '-out', join(folder, `${file}.pem`)]
  execFileSync(
    'openssl',
    ['req', '-x509', ...kind, ...files, '-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`],
    {
      stdio: 'pipe',
    },
  )
}

const skipTls = missing('openssl', 'version') || missing('curl', '--version')

test('certificates by name, ALPN, resumption at every worker, and a reload seen by openssl', {
  skip: skipTls,
}, async () => {
  for (const name of ['one', 'two', 'fresh'])
    makeCertificate(name, name === 'fresh' ? 'one.example' : `${name}.example`)
  const app = await startBackend('app')
  cleanups.push(() => app.close())
  const proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
workers: 2
listeners:
  - name: web
    address: 127.0.0.1:0
    protocol: http
    tls: { certificates: [{ cert: one.pem, key: one.key }, { cert: two.pem, key: two.key }] }
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${app.port}'] }
`,
  )
  cleanups.push(() => proxy.kill())
  const port = proxy.port('web')
  const curl = async (name: string, ...args: string[]): Promise<string> => {
    const target = [`--resolve`, `${name}:${port}:127.0.0.1`, `https://${name}:${port}/x`]
    const { stdout } = await exec('curl', ['-sS', '-m', '10', '-w', ' %{http_version}', ...args, ...target])
    return stdout
  }
  assert.equal(await curl('one.example', '--cacert', join(folder, 'one.pem')), 'app /x 2')
  assert.equal(await curl('two.example', '--http1.1', '--cacert', join(folder, 'two.pem')), 'app /x 1.1')
  await assert.rejects(curl('two.example', '--cacert', join(folder, 'one.pem')))

  const sessionFile = join(folder, 'session.pem')
  const sClient = async (...args: string[]): Promise<string> => {
    const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', 'one.example', ...args])
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
    }
    child.stdin.write('GET /x HTTP/1.1\r\nhost: one.example\r\nconnection: close\r\n\r\n')
    await once(child, 'close')
    return text
  }
  assert.match(await sClient('-ign_eof', '-sess_out', sessionFile), /New, TLSv1\.3/)
  // Whichever worker accepts: all have the same ticket keys.
  for (let i = 0; i < 8; i++) assert.match(await sClient('-ign_eof', '-sess_in', sessionFile), /Reused, TLSv1\.3/)
  assert.match(await sClient('-ign_eof', '-tls1_1'), /alert|no protocols|unsupported|wrong version/i)

  const serialNow = async (): Promise<string> => {
    const text = await sClient('-ign_eof')
    const { stdout } = await new Promise<{ stdout: string }>((resolve, reject) => {
      const child = execFile('openssl', ['x509', '-noout', '-serial'], (error, out) =>
        error === null ? resolve({ stdout: out }) : reject(error),
      )
      child.stdin!.end(text)
    })
    return stdout
  }
  const serialOf = (file: string): string =>
    execFileSync('openssl', ['x509', '-noout', '-serial', '-in', join(folder, `${file}.pem`)]).toString()
  assert.equal(await serialNow(), serialOf('one'))
  // A key that does not fit: refused, told, and the old certificate goes on.
  copyFileSync(join(folder, 'fresh.key'), join(folder, 'one.key'))
  const refused = await proxy.ask('POST', '/reload')
  assert.equal(refused.status, 409)
  assert.match(refused.body, /one\.key/)
  const old = serialOf('one')
  assert.equal(await serialNow(), old)
  copyFileSync(join(folder, 'fresh.pem'), join(folder, 'one.pem'))
  assert.equal((await proxy.ask('POST', '/reload')).status, 200)
  // Both workers.
  for (let i = 0; i < 8; i++) assert.equal(await serialNow(), serialOf('fresh'))
})

test('files that change are noticed without a reload', { skip: skipTls }, async () => {
  const started = await startBackend('app')
  cleanups.push(() => started.close())
  for (const name of ['watched', 'later']) makeCertificate(name, 'watched.example')
  const proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:
  - name: web
    address: 127.0.0.1:0
    protocol: http
    tls: { certificates: [{ cert: watched.pem, key: watched.key }] }
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${started.port}'] }
`,
  )
  cleanups.push(() => proxy.kill())
  const trusts = async (file: string): Promise<boolean> => {
    const target = [
      '--resolve',
      `watched.example:${proxy.port('web')}:127.0.0.1`,
      `https://watched.example:${proxy.port('web')}/`,
    ]
    return exec('curl', ['-sS', '-m', '10', '--cacert', join(folder, `${file}.pem`), ...target]).then(
      () => true,
      () => false,
    )
  }
  assert.equal(await trusts('later'), false)
  copyFileSync(join(folder, 'later.key'), join(folder, 'watched.key'))
  copyFileSync(join(folder, 'later.pem'), join(folder, 'watched.pem'))
  await until('the new certificate serves', () => trusts('later'))
})

/** A backend that tells the client's address as the proxy told it. */
async function addressBackend(): Promise<number> {
  const server = http.createServer((request, response) => response.end(String(request.headers['x-forwarded-for'])))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => server.close())
  return (server.address() as net.AddressInfo).port
}

function proxyHeaderConfig(to: number, from: string): string {
  return `
admin: 127.0.0.1:0
listeners:
  - name: web
    address: 127.0.0.1:0
    protocol: http
    proxyProtocolFrom: ['${from}']
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${to}'] }
`
}

test('curl’s PROXY header is believed from a trusted network, and refused from others', {
  skip: missing('curl', '--version'),
}, async () => {
  const to = await addressBackend()
  const proxy = await startProxy(folder, proxyHeaderConfig(to, '127.0.0.0/8'))
  cleanups.push(() => proxy.kill())
  const ask = (port: number, ...args: string[]) =>
    exec('curl', ['-sS', '-m', '10', ...args, `http://127.0.0.1:${port}/`])
  assert.equal((await ask(proxy.port('web'), '--haproxy-protocol')).stdout, '127.0.0.1')
  // Without a header, and from elsewhere.
  await assert.rejects(ask(proxy.port('web')))
  const strict = await startProxy(folder, proxyHeaderConfig(to, '192.0.2.0/24'))
  cleanups.push(() => strict.kill())
  await assert.rejects(ask(strict.port('web'), '--haproxy-protocol'))
  assert.match(
    (await proxy.ask('GET', '/metrics')).body,
    /connections_refused_total\{listener="web",reason="preamble"\} 1/,
  )
})

test('HAProxy’s PROXY headers, both versions', { skip: missing('haproxy', '-v') }, async () => {
  const proxy = await startProxy(folder, proxyHeaderConfig(await addressBackend(), '127.0.0.1'))
  cleanups.push(() => proxy.kill())
  for (const how of ['send-proxy', 'send-proxy-v2']) {
    const probe = net.createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as net.AddressInfo
    probe.close()
    await once(probe, 'close')
    const file = join(folder, `${how}.cfg`)
    writeFileSync(
      file,
      `defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen in
  bind 127.0.0.1:${port}
  server synod 127.0.0.1:${proxy.port('web')} ${how}
`,
    )
    const haproxy = spawn('haproxy', ['-f', file], { stdio: 'ignore' })
    try {
      const fetchAddress = (): Promise<string> =>
        new Promise((resolve) => {
          const sent = http.get({ host: '127.0.0.1', port, localAddress: '127.0.0.9', agent: false }, (response) => {
            response.on('data', (bytes: Buffer) => resolve(bytes.toString()))
          })
          sent.on('error', (error) => resolve(error.message))
        })
      await until(`${how} tells the client`, async () => (await fetchAddress()) === '127.0.0.9')
    } finally {
      haproxy.kill('SIGKILL')
      await once(haproxy, 'exit')
    }
  }
})

test('TLS passed through by server name, its bytes untouched', { skip: skipTls }, async () => {
  const servers = await Promise.all(
    ['alpha', 'beta'].map(async (name) => {
      makeCertificate(name, `${name}.example`)
      const files = ['-cert', join(folder, `${name}.pem`), '-key', join(folder, `${name}.key`)]
      const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-www', ...files], {
        stdio: ['ignore', 'pipe', 'ignore'],
      })
      cleanups.push(() => child.kill('SIGKILL'))
      let text = ''
      for await (const bytes of child.stdout) {
        text += String(bytes)
        if (/ACCEPT .*:\d+/.test(text)) break
      }
      return Number(/ACCEPT .*:(\d+)/.exec(text)![1])
    }),
  )
  const proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:
  - name: pass
    address: 127.0.0.1:0
    protocol: tls-passthrough
    names: [{ name: [alpha.example], to: alpha }, { name: ['*.example'], to: beta }]
upstreams:
  alpha: { endpoints: ['127.0.0.1:${servers[0]}'] }
  beta: { endpoints: ['127.0.0.1:${servers[1]}'] }
`,
  )
  cleanups.push(() => proxy.kill())
  const port = proxy.port('pass')
  for (const name of ['alpha', 'beta']) {
    const target = ['--resolve', `${name}.example:${port}:127.0.0.1`, `https://${name}.example:${port}/`]
    const { stdout } = await exec('curl', ['-sS', '-m', '10', '--cacert', join(folder, `${name}.pem`), ...target])
    assert.match(stdout, /Ciphers supported/)
  }
  // A client that names no server, where there is no default.
  await assert.rejects(exec('curl', ['-sS', '-m', '10', '-k', `https://127.0.0.1:${port}/`]))
})
