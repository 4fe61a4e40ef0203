// Client certificates end to end, judged by curl and openssl: who is let in, what upstreams are told of them, and that no
// session, header or reload lets anyone else in. TLS towards upstreams too.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { WebSocket, WebSocketServer } from 'ws'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'

const exec = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-mutual-'))
const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true })]
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})
const skip =
  spawnSync('openssl', ['version']).status === 0 && spawnSync('curl', ['--version']).status === 0
    ? false
    : 'openssl and curl are needed'

const at = (file: string): string => join(folder, file)
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

function authority(name: string): void {
  const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)]
  execFileSync('openssl', ['req', '-x509', ...newKey, '-days', '2', ...files, '-subj', `/CN=${name}`], {
    stdio: 'pipe',
  })
}

/** A certificate signed by an authority. */
function issue(ca: string, name: string, subject: string, alternatives = `DNS:${name}.example`): void {
  const request = at(`${name}.csr`)
  const files = ['-keyout', at(`${name}.key`), '-out', request]
  execFileSync('openssl', ['req', ...newKey, '-utf8', ...files, '-subj', subject], { stdio: 'pipe' })
  writeFileSync(at(`${name}.ext`), `subjectAltName=${alternatives}\n`)
  const by = ['-CA', at(`${ca}.pem`), '-CAkey', at(`${ca}.key`), '-CAcreateserial', '-extfile', at(`${name}.ext`)]
  execFileSync('openssl', ['x509', '-req', '-in', request, '-days', '2', ...by, '-out', at(`${name}.pem`)], {
    stdio: 'pipe',
  })
}

/** Tells the fields that a proxy might have put there. */
async function mirror(): Promise<number> {
  const server = http.createServer(({ headers }, response) => {
    const told = [headers['x-client-name'], headers['x-client-print'], headers['x-client-verify']]
    response.end(JSON.stringify(told.map((value) => value ?? null)))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function proxyOf(config: string): Promise<ProxyProcess> {
  const proxy = await startProxy(folder, `admin: 127.0.0.1:0\n${config}`)
  cleanups.push(() => proxy.kill())
  return proxy
}

const identity = `requestHeaders: { set: { x-client-name: $ssl_client_s_dn, x-client-print: $ssl_client_fingerprint, x-client-verify: $ssl_client_verify } }`

function mutualConfig(to: number, ca: string): string {
  const listener = (name: string, tls: string): string => `
  - name: ${name}
    address: 127.0.0.1:0
    protocol: http
    tls: { cert: server.pem, key: server.key ${tls} }
    routes: [{ path: /, to: app, ${identity} }]`
  return `
workers: 2
listeners:${listener('required', `, clientCa: ${ca}`)}${listener('optional', `, clientCa: ${ca}, clientCertificate: optional`)}${listener('open', '')}
upstreams:
  app: { endpoints: ['127.0.0.1:${to}'] }
`
}

/** What curl says of a request: the body, or the exit status of the failed. */
async function curl(port: number, client?: string, ...args: string[]): Promise<string> {
  const own = client === undefined ? [] : ['--cert', at(`${client}.pem`), '--key', at(`${client}.key`)]
  const target = ['--resolve', `server.example:${port}:127.0.0.1`, `https://server.example:${port}/`]
  return exec('curl', ['-sS', '-m', '10', '--cacert', at('root.pem'), ...own, ...args, ...target]).then(
    ({ stdout }) => stdout,
    (error: { code: number }) => `failed: ${error.code}`,
  )
}

async function sClient(port: number, ...args: string[]): Promise<string> {
  const target = ['-connect', `127.0.0.1:${port}`, '-servername', 'server.example', '-ign_eof']
  const child = spawn('openssl', ['s_client', ...target, ...args])
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      text += bytes.toString()
    })
  }
  child.stdin.on('error', () => {})
  child.stdin.write('GET / HTTP/1.1\r\nhost: server.example\r\nconnection: close\r\n\r\n')
  await once(child, 'close')
  return text
}

test('client certificates: who is let in, and what the upstream is told', { skip }, async () => {
  authority('root')
  authority('other')
  issue('root', 'server', '/CN=server.example')
  issue('root', 'alice', '/C=DE/O=Müller, Sons; Co/CN=alice', 'DNS:alice.example')
  issue('other', 'mallory', '/CN=alice')
  const to = await mirror()
  const proxy = await proxyOf(mutualConfig(to, 'root.pem'))
  const print = execFileSync('openssl', ['x509', '-in', at('alice.pem'), '-noout', '-fingerprint', '-sha1'])
    .toString()
    .trim()
    .split('=')[1]!
    .replaceAll(':', '')
    .toLowerCase()
  const name = execFileSync('openssl', ['x509', '-in', at('alice.pem'), '-noout', '-subject', '-nameopt', 'RFC2253'])
    .toString()
    .trim()
    .slice('subject='.length)
  const alice = JSON.stringify([name, print, 'SUCCESS'])
  const nobody = JSON.stringify([null, null, 'NONE'])
  for (const version of ['--http1.1', '--http2']) {
    assert.equal(await curl(proxy.port('required'), 'alice', version), alice)
    assert.equal(await curl(proxy.port('optional'), 'alice', version), alice)
    assert.equal(await curl(proxy.port('optional'), undefined, version), nobody)
    // What a client says of itself is not passed on.
    const forged = ['-H', `x-client-name: ${name}`, '-H', 'X-Client-Print: 1', '-H', 'x-client-verify: SUCCESS']
    assert.equal(await curl(proxy.port('optional'), undefined, version, ...forged), nobody)
    assert.equal(await curl(proxy.port('open'), undefined, version, ...forged), nobody)
    assert.equal(await curl(proxy.port('required'), 'alice', version, ...forged), alice)
  }
  for (const [listener, client] of [
    ['required', undefined],
    ['required', 'mallory'],
    ['optional', 'mallory'],
  ] as const)
    assert.match(await curl(proxy.port(listener), client), /^failed: /, `${listener} ${client}`)
  // A certificate that is shown where none is asked for changes nothing.
  assert.equal(await curl(proxy.port('open'), 'mallory'), nobody)
})

for (const version of ['-tls1_3', '-tls1_2']) {
  test(`a session of another listener, or of the authority before, lets nobody in (${version})`, { skip }, async () => {
    const to = await mirror()
    const file = at('proxy.yaml')
    const proxy = await proxyOf(mutualConfig(to, 'root.pem'))
    const session = at(`session${version}.pem`)
    const own = ['-cert', at('alice.pem'), '-key', at('alice.key')]
    // Without a certificate, at the listener that asks for none.
    assert.match(await sClient(proxy.port('open'), version, '-sess_out', session), /HTTP\/1\.1 200/)
    for (let i = 0; i < 4; i++) {
      const answer = await sClient(proxy.port('required'), version, '-sess_in', session)
      assert.doesNotMatch(answer, /HTTP\/1\.1 200/)
    }
    // As Alice; her session tells her name again, at whichever worker.
    assert.match(await sClient(proxy.port('required'), version, ...own, '-sess_out', session), /\["CN=alice/)
    for (let i = 0; i < 4; i++) {
      const answer = await sClient(proxy.port('required'), version, ...own, '-sess_in', session)
      assert.match(answer, /Reused, TLSv1/)
      assert.match(answer, /\["CN=alice.*SUCCESS"\]/)
    }
    // Her authority is trusted no more.
    writeFileSync(file, `admin: 127.0.0.1:0\n${mutualConfig(to, 'other.pem')}`)
    assert.equal((await proxy.ask('POST', '/reload')).status, 200)
    for (let i = 0; i < 4; i++) {
      const answer = await sClient(proxy.port('required'), version, ...own, '-sess_in', session)
      assert.doesNotMatch(answer, /HTTP\/1\.1 200/)
    }
    assert.match(await curl(proxy.port('required'), 'mallory'), /SUCCESS/)
  })
}

test('TLS to upstreams: authority, name, certificate, and h2 by ALPN; what is wrong is named', { skip }, async () => {
  issue('root', 'app', '/CN=app.internal', 'DNS:app.internal,IP:127.0.0.1')
  const options = {
    key: readFileSync(at('app.key')),
    cert: readFileSync(at('app.pem')),
    ca: readFileSync(at('root.pem')),
    requestCert: true,
    rejectUnauthorized: true,
  }
  const names: unknown[] = []
  const answer = (request: http.IncomingMessage | http2.Http2ServerRequest, response: http.ServerResponse): void => {
    const socket = request.socket as import('node:tls').TLSSocket
    names.push((socket as unknown as { servername: unknown }).servername)
    response.end(`${request.httpVersion} for ${socket.getPeerCertificate().subject.CN}`)
  }
  const one = https.createServer(options, answer).listen(0, '127.0.0.1')
  const two = http2
    .createSecureServer(options, answer as unknown as Parameters<typeof http2.createSecureServer>[1])
    .listen(0, '127.0.0.1')
  const sockets = new WebSocketServer({ server: one })
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)))
  await Promise.all([once(one, 'listening'), once(two, 'listening')])
  cleanups.push(() => {
    one.closeAllConnections()
    one.close()
    two.close()
  })
  const [onePort, twoPort] = [one, two].map((server) => (server.address() as AddressInfo).port)
  const own = 'cert: alice.pem, key: alice.key'
  const config = `
workers: 2
listeners:
  - name: web
    address: 127.0.0.1:0
    protocol: http
    routes:
      - { path: /one, to: one }
      - { path: /two, to: two }
      - { path: /stranger, to: stranger, retry: { attempts: 1 } }
      - { path: /misnamed, to: misnamed, retry: { attempts: 1 } }
      - { path: /nameless, to: nameless, retry: { attempts: 1 } }
upstreams:
  one: { endpoints: ['127.0.0.1:${onePort}'], tls: { ca: root.pem, ${own}, serverName: app.internal } }
  two: { endpoints: ['127.0.0.1:${twoPort}'], protocol: http2, tls: { ca: root.pem, ${own} } }
  stranger: { endpoints: ['127.0.0.1:${onePort}'], tls: { ca: other.pem, ${own} } }
  misnamed: { endpoints: ['127.0.0.1:${onePort}'], tls: { ca: root.pem, ${own}, serverName: other.internal } }
  nameless: { endpoints: ['127.0.0.1:${onePort}'], tls: { ca: root.pem } }
`
  const proxy = await proxyOf(config)
  const ask = async (path: string): Promise<string> => {
    const { stdout } = await exec('curl', [
      '-s',
      '-m',
      '10',
      '-w',
      ' %{http_code}',
      `http://127.0.0.1:${proxy.port('web')}${path}`,
    ])
    return stdout
  }
  const requests = Array.from({ length: 20 }, (_, i) => ask(i % 2 === 0 ? '/one' : '/two'))
  // A WebSocket beside them.
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port('web')}/one`)
  await once(socket, 'open')
  socket.send('hello')
  assert.equal(String((await once(socket, 'message'))[0]), 'echo hello')
  for (const [i, outcome] of (await Promise.all(requests)).entries())
    assert.equal(outcome, `${i % 2 === 0 ? '1.1' : '2.0'} for alice 200`)
  // Where no name is configured an address is no name to ask for (RFC 6066 §3).
  assert.deepEqual(new Set(names), new Set(['app.internal', false]))
  for (const path of ['/stranger', '/misnamed', '/nameless']) assert.match(await ask(path), / 50[23]$/, path)

  // A CA that cannot be read: refused with its name, and nothing changes.
  const file = at('proxy.yaml')
  writeFileSync(at('broken.pem'), '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n')
  writeFileSync(file, `admin: 127.0.0.1:0\n${config.replace('ca: root.pem', 'ca: broken.pem')}`)
  const refused = await proxy.ask('POST', '/reload')
  assert.equal(refused.status, 409)
  assert.match(refused.body, /broken\.pem/)
  assert.equal(await ask('/one'), '1.1 for alice 200')
  // Another certificate for the upstreams, while requests and the WebSocket go on.
  issue('root', 'bob', '/CN=bob', 'DNS:bob.example')
  copyFileSync(at('bob.pem'), at('alice2.pem'))
  writeFileSync(file, `admin: 127.0.0.1:0\n${config.replaceAll('alice.', 'bob.')}`)
  assert.equal((await proxy.ask('POST', '/reload')).status, 200)
  await until('the new certificate is shown', async () => (await ask('/one')) === '1.1 for bob 200')
  assert.equal(await ask('/two'), '2.0 for bob 200')
  socket.send('again')
  assert.equal(String((await once(socket, 'message'))[0]), 'echo again')
  socket.close()
})
