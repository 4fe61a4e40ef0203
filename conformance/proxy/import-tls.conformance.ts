// TLS, gRPC and layer 4 of an nginx file: the same connections to the real nginx and to what was made of its file, and what
// came of them: the certificate, the status, the answer, and which server gave it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import * as https from 'node:https'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as tls from 'node:tls'
import { importNginx } from '../../src/proxy/import/index.ts'
import { grpcClientTransport } from '../../src/rpc/grpc/index.ts'
import { createClient, createServer, RpcError } from '../../src/rpc/index.ts'
import { type Credentials, selfSigned } from '../../src/rpc/testing/certificates.ts'
import { orders, ordersOf } from '../../src/rpc/testing/orders-service.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { checkFile, freePort, startEcho, startEngine } from './rendered-engines.ts'

/** Where everything is. */
interface Ports {
  /** Of the engine. */
  readonly secure: number
  readonly plain: number
  readonly optional: number
  readonly strict: number
  readonly tcp: number
  readonly byName: number
  readonly byPlainName: number
  /** Behind it. */
  readonly echo: number
  readonly other: number
  readonly grpc: number
  readonly grpcTls: number
  readonly tlsA: number
  readonly tlsB: number
  readonly dead: number
}

const nginxText = (folder: string, at: Ports): string => `
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
pid ${folder}/pid;
events {}
http {
  access_log off;
  ssl_certificate ${folder}/a.pem;
  ssl_certificate_key ${folder}/a.key;
  proxy_set_header Host $host;
  upstream orders { server 127.0.0.1:${at.grpc}; }
  server {
    listen 127.0.0.1:${at.secure} ssl http2 default_server;
    server_name a.example;
    location / { proxy_pass http://127.0.0.1:${at.echo}; }
    location /none/ { return 404; }
    location /synod.testing.v1.Orders/ { grpc_pass grpc://orders; }
    location /synod.testing.v1.Orders/GetOrder { grpc_pass grpcs://127.0.0.1:${at.grpcTls}; }
    location /synod.testing.v1.Orders/Upload { grpc_pass 127.0.0.1:${at.dead}; }
  }
  server {
    listen 127.0.0.1:${at.secure} ssl http2;
    server_name b.example *.b.example;
    ssl_certificate ${folder}/b.pem;
    ssl_certificate_key ${folder}/b.key;
    location / { proxy_pass https://127.0.0.1:${at.tlsA}; }
    location /other/ { proxy_pass http://127.0.0.1:${at.other}/; }
  }
  server {
    listen 127.0.0.1:${at.plain} http2;
    location /synod.testing.v1.Orders/ { grpc_pass orders; }
  }
  ssl_client_certificate ${folder}/a.pem;
  proxy_set_header X-Verify $ssl_client_verify;
  proxy_set_header X-Subject $ssl_client_s_dn;
  proxy_set_header X-Fingerprint $ssl_client_fingerprint;
  server {
    listen 127.0.0.1:${at.optional} ssl;
    ssl_verify_client optional;
    location / { proxy_pass http://127.0.0.1:${at.echo}; }
  }
  server {
    listen 127.0.0.1:${at.strict} ssl;
    ssl_verify_client on;
    location / { proxy_pass http://127.0.0.1:${at.echo}; }
  }
}
stream {
  upstream tls_a { server 127.0.0.1:${at.tlsA}; }
  upstream tls_b { server 127.0.0.1:${at.tlsB}; }
  map $ssl_preread_server_name $by_name {
    hostnames;
    a.example tls_a;
    *.wide.example tls_b;
    .both.example tls_b;
    bare.example 127.0.0.1:${at.tlsB};
    default tls_a;
  }
  map $ssl_preread_server_name $by_plain_name {
    a.example tls_a;
    *.wide.example tls_b;
    B.example tls_b;
  }
  server { listen 127.0.0.1:${at.byName}; ssl_preread on; proxy_pass $by_name; }
  server { listen 127.0.0.1:${at.byPlainName}; ssl_preread on; proxy_pass $by_plain_name; }
  server { listen 127.0.0.1:${at.tcp}; proxy_pass tls_b; }
}
`

type Engine = Pick<Ports, 'secure' | 'plain' | 'optional' | 'strict' | 'tcp' | 'byName' | 'byPlainName'>

describe('TLS, gRPC and layer 4 of an imported file', { skip: skipWithout('nginx', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-import-tls-'))
  const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
  let credentials: Readonly<Record<string, Credentials>> = {}
  let theirs: Engine
  let ours: Engine

  before(async () => {
    credentials = Object.fromEntries(
      (['a', 'b'] as const).map((name) => {
        const made = selfSigned(name === 'a' ? 'DNS:a.example' : 'DNS:b.example,DNS:*.b.example')
        writeFileSync(join(folder, `${name}.pem`), made.cert)
        writeFileSync(join(folder, `${name}.key`), made.key)
        return [name, made]
      }),
    )
    const [echo, other] = [await startEcho('echo'), await startEcho('other')]
    const [tlsA, tlsB] = [await startSecure('tls-a', credentials['a']!), await startSecure('tls-b', credentials['b']!)]
    const grpc = await createServer({ services: [ordersOf('plain')] })
    const grpcTls = await createServer({ services: [ordersOf('tls')], tls: credentials['a']! })
    undo.push(
      () => echo.close(),
      () => other.close(),
      () => tlsA.close(),
      () => tlsB.close(),
      () => grpc.close({ drainMs: 0 }),
      () => grpcTls.close({ drainMs: 0 }),
    )
    const behind = {
      echo: echo.port,
      other: other.port,
      grpc: grpc.address.port,
      grpcTls: grpcTls.address.port,
      tlsA: tlsA.port,
      tlsB: tlsB.port,
      dead: await freePort(),
    }
    theirs = { ...(await freePorts()), secure: await freePort() }
    const file = join(folder, 'nginx.conf')
    writeFileSync(file, nginxText(folder, { ...behind, ...theirs }))
    checkFile('nginx', file, folder)
    const nginx = spawn(requirePeer('nginx'), ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;'], {
      stdio: 'ignore',
    })
    undo.push(() => nginx.kill('SIGTERM'))
    const rest = await freePorts()
    const made = await startEngine('ours', (secure) => {
      ours = { ...rest, secure }
      const text = nginxText(folder, { ...behind, ...ours })
      const result = importNginx('/n/nginx.conf', { read: () => text, list: () => [] })
      assert.ok(result.ok, JSON.stringify(result))
      return result.yaml
    })
    undo.push(() => made.stop())
    for (const port of Object.values(theirs)) await untilItListens(port)
  })
  after(async () => {
    for (const step of undo.reverse()) await step()
  })

  async function alike(what: string, seen: (engine: Engine) => Promise<unknown>): Promise<unknown> {
    const expected = await seen(theirs)
    assert.deepEqual(await seen(ours), expected, what)
    return expected
  }

  test('requests over TLS, by HTTP/1.1 and HTTP/2', async () => {
    const seen = new Set<unknown>()
    for (const name of ['a.example', 'b.example', 'x.b.example', 'B.EXAMPLE', 'none.example', undefined]) {
      for (const host of ['a.example', 'x.b.example', 'none.example']) {
        for (const path of ['/x?y', '/none/x', '/other/x', '/%41/b']) {
          const asked = { name, host, path }
          for (const ask of [askHttp1, askHttp2]) {
            seen.add(JSON.stringify(await alike(JSON.stringify(asked), ({ secure }) => ask(secure, asked))))
          }
        }
      }
    }
    assert.ok(seen.size > 8, [...seen].join('\n'))
  })

  test('certificates of clients', async () => {
    const seen: unknown[] = []
    for (const port of ['optional', 'strict'] as const) {
      for (const shown of [undefined, 'a', 'b'] as const) {
        const from = shown === undefined ? {} : credentials[shown]!
        seen.push(await alike(`${port} ${shown}`, (engine) => identityAt(engine[port], from)))
      }
    }
    const fingerprint = new X509Certificate(credentials['a']!.cert).fingerprint.replaceAll(':', '').toLowerCase()
    const known = { verify: 'SUCCESS', subject: 'CN=synod-test', fingerprint }
    const unknown = { verify: 'NONE', subject: undefined, fingerprint: undefined }
    assert.deepEqual(seen, [unknown, known, 'refused', 'refused', known, 'refused'])
  })

  test('gRPC calls', async () => {
    const ways: readonly (readonly [string, (engine: Engine) => Promise<unknown>])[] = [
      ['by TLS', ({ secure }) => grpcOutcomes(secure, true)],
      ['in plain text', ({ plain }) => grpcOutcomes(plain, false)],
    ]
    for (const [way, outcomes] of ways) {
      const seen = (await alike(way, outcomes)) as unknown[]
      assert.deepEqual(seen.slice(0, 6), [
        'plain',
        300_000,
        400_000,
        ['A', 'B'],
        'FAILED_PRECONDITION',
        'DEADLINE_EXCEEDED',
      ])
      assert.deepEqual(seen.slice(6), way === 'by TLS' ? ['book', 'UNAVAILABLE'] : ['book', 1])
    }
  })

  test('connections by the name in the ClientHello, and to one upstream', async () => {
    const names = ['a.example', 'x.wide.example', 'wide.example', 'y.both.example', 'both.example', 'bare.example']
    const seen = new Set<unknown>()
    for (const name of [...names, 'A.Example', 'b.example', 'none.example', undefined]) {
      for (const listener of ['byName', 'byPlainName', 'tcp'] as const) {
        seen.add(await alike(`${listener} ${name}`, (engine) => serverBehind(engine[listener], name)))
      }
    }
    assert.deepEqual([...seen].sort(), ['nobody', 'tls-a', 'tls-b'])
  })
})

async function freePorts(): Promise<Omit<Engine, 'secure'>> {
  return {
    plain: await freePort(),
    optional: await freePort(),
    strict: await freePort(),
    tcp: await freePort(),
    byName: await freePort(),
    byPlainName: await freePort(),
  }
}

/** An HTTPS server that says its name, the request's path, and the host that it was asked for. */
async function startSecure(
  name: string,
  credentials: { readonly cert: Buffer; readonly key: Buffer },
): Promise<{ readonly port: number; close(): void }> {
  const server = https.createServer(credentials, (incoming, outgoing) => {
    outgoing.end(JSON.stringify({ name, url: incoming.url, headers: { host: incoming.headers.host } }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as net.AddressInfo).port,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

async function untilItListens(port: number): Promise<void> {
  for (const deadline = Date.now() + 10_000; ; await new Promise((next) => setTimeout(next, 20))) {
    const isOpen = await new Promise<boolean>((done) => {
      const socket = net.connect(port, '127.0.0.1', () => done(true))
      socket.on('error', () => done(false))
      socket.on('connect', () => socket.destroy())
    })
    if (isOpen) return
    if (Date.now() > deadline) throw new Error(`nothing listens on ${port}`)
  }
}

interface Asked {
  readonly name: string | undefined
  readonly host: string
  readonly path: string
}

/** What both must agree on: pages that an engine makes for its own errors are its own. */
function outcomeOf(status: number, body: string, certificate: tls.PeerCertificate | undefined): unknown {
  const told =
    status === 200 ? (JSON.parse(body) as { name: string; url: string; headers: { host: string } }) : undefined
  return {
    status,
    name: told?.name,
    url: told?.url,
    host: told?.headers.host,
    certificate: certificate?.subjectaltname,
  }
}

async function askHttp1(port: number, { name, host, path }: Asked): Promise<unknown> {
  const socket = await openTls(port, name, ['http/1.1'])
  const certificate = socket.getPeerCertificate()
  return new Promise((resolve, reject) => {
    const options = { createConnection: () => socket, path, headers: { host, connection: 'close' } }
    const request = http.request(options, (incoming) => {
      let body = ''
      incoming.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      incoming.on('end', () => resolve(outcomeOf(incoming.statusCode!, body, certificate)))
    })
    request.on('error', reject)
    request.end()
  })
}

async function askHttp2(port: number, { name, host, path }: Asked): Promise<unknown> {
  const socket = await openTls(port, name, ['h2'])
  assert.equal(socket.alpnProtocol, 'h2')
  const certificate = socket.getPeerCertificate()
  const session = http2.connect(`https://${host}`, { createConnection: () => socket })
  try {
    return await new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, ':authority': host })
      let status = 0
      let body = ''
      stream.on('response', (head) => {
        status = Number(head[':status'])
      })
      stream.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      stream.on('end', () => resolve(outcomeOf(status, body, certificate)))
      stream.on('error', reject)
      session.on('error', reject)
    })
  } finally {
    session.destroy()
  }
}

function openTls(
  port: number,
  name: string | undefined,
  protocols: readonly string[],
  shown: Partial<Credentials> = {},
): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      ...(name === undefined ? {} : { servername: name }),
      ALPNProtocols: [...protocols],
      ...shown,
      rejectUnauthorized: false,
    })
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
    socket.setTimeout(10_000, () => socket.destroy(new Error('nothing for 10 s')))
  })
}

/** What the server behind is told of a client; nginx refuses one by an answer, ours by its handshake. */
async function identityAt(port: number, shown: Partial<Credentials>): Promise<unknown> {
  try {
    const socket = await openTls(port, 'a.example', ['http/1.1'], shown)
    return await new Promise((resolve, reject) => {
      const options = { createConnection: () => socket, path: '/', headers: { host: 'a', connection: 'close' } }
      const request = http.request(options, (incoming) => {
        let body = ''
        incoming.on('data', (chunk: Buffer) => {
          body += chunk.toString()
        })
        incoming.on('end', () => {
          if (incoming.statusCode !== 200) return resolve('refused')
          const { headers } = JSON.parse(body) as { headers: Record<string, string> }
          const { 'x-verify': verify, 'x-subject': subject, 'x-fingerprint': fingerprint } = headers
          resolve({ verify, subject, fingerprint })
        })
      })
      request.on('error', reject)
      request.end()
    })
  } catch {
    return 'refused'
  }
}

/** Which server is reached through a listener of layer 4. */
async function serverBehind(port: number, name: string | undefined): Promise<string> {
  try {
    const socket = await openTls(port, name, ['http/1.1'])
    return await new Promise((resolve, reject) => {
      let body = ''
      socket.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      socket.on('close', () => resolve(/"name":"([^"]+)"/.exec(body)?.[1] ?? 'nobody'))
      socket.on('error', reject)
      socket.write('GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n')
    })
  } catch {
    return 'nobody'
  }
}

async function grpcOutcomes(port: number, isSecure: boolean): Promise<unknown> {
  await using client = createClient(orders, {
    target: `127.0.0.1:${port}`,
    transport: grpcClientTransport({ authority: 'a.example' }),
    retry: { attemptsMax: 1 },
    timeoutMs: 10_000,
    ...(isSecure ? { tls: { rejectUnauthorized: false, serverName: 'a.example' } } : {}),
  })
  const outcome = async (call: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await call()
    } catch (error) {
      return error instanceof RpcError ? error.code : String(error)
    }
  }
  return [
    await outcome(async () => (await client.placeOrder({ item: 'book' }, { metadata: { 'x-echo': 'x' } })).servedBy),
    await outcome(async () => (await client.placeOrder({ item: 'big', note: new Uint8Array(300_000) })).note.length),
    await outcome(async () => {
      let bytes = 0
      for await (const one of client.listOrders({ count: 20, noteBytes: 20_000 })) bytes += one.note.length
      return bytes
    }),
    await outcome(async () => {
      const items: string[] = []
      for await (const { item } of client.chat([{ item: 'a' }, { item: 'b' }])) items.push(item)
      return items
    }),
    await outcome(async () => client.placeOrder({ item: 'fail' })),
    await outcome(async () => client.placeOrder({ item: 'wait' }, { timeoutMs: 300 })),
    await outcome(async () => (await client.getOrder({ id: '7' })).item),
    await outcome(async () => (await client.upload([{ note: new Uint8Array(10) }])).count),
  ]
}
