// The PROXY protocol with real neighbours: our headers read by HAProxy and nginx, nginx's read by us, and through a chain.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startProxy, until } from './proxy-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-proxy-header-'))
const cleanups: (() => unknown)[] = [() => rmSync(folder, { recursive: true })]
after(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup()
})

function missing(program: string, flag: string): string | false {
  return spawnSync(program, [flag]).status === 0 ? false : `${program} is not installed`
}

async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as net.AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

function daemon(program: string, args: readonly string[]): void {
  const child = spawn(program, args, { stdio: 'ignore' })
  cleanups.push(async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
}

/** What is answered to a client at `from`, with the port that it came from. */
function fetchFrom(from: string, port: number): Promise<{ readonly body: string; readonly localPort: number }> {
  return new Promise((resolve) => {
    const sent = http.get({ host: '127.0.0.1', port, localAddress: from, agent: false }, (response) => {
      const localPort = sent.socket!.localPort!
      let body = ''
      response.on('data', (bytes: Buffer) => {
        body += bytes.toString()
      })
      response.on('end', () => resolve({ body, localPort }))
    })
    sent.on('error', (error) => resolve({ body: error.message, localPort: 0 }))
  })
}

async function tcpProxyTo(to: number, version: 1 | 2): Promise<number> {
  const proxy = await startProxy(
    mkdtempSync(join(folder, 'p')),
    `
admin: 127.0.0.1:0
listeners:
  - { name: raw, address: '127.0.0.1:0', protocol: tcp, to: app, sendProxyProtocol: v${version} }
upstreams:
  app: { endpoints: ['127.0.0.1:${to}'] }
`,
  )
  cleanups.push(() => proxy.kill())
  return proxy.port('raw')
}

async function tellsClient(port: number, what: string): Promise<void> {
  await until(`${what} serves`, async () => (await fetchFrom('127.0.0.9', port)).localPort !== 0)
  for (const from of ['127.0.0.9', '127.0.0.77']) {
    const { body, localPort } = await fetchFrom(from, port)
    assert.equal(body, `${from}:${localPort}`, what)
  }
}

test('HAProxy reads our headers', { skip: missing('haproxy', '-v') }, async () => {
  const port = await freePort()
  const file = join(folder, 'haproxy.cfg')
  writeFileSync(
    file,
    `defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend in
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%ci:%cp"
`,
  )
  daemon('haproxy', ['-f', file])
  for (const version of [1, 2] as const)
    await tellsClient(await tcpProxyTo(port, version), `HAProxy, version ${version}`)
})

test('nginx reads our headers, and we read nginx’s', { skip: missing('nginx', '-v') }, async () => {
  const [port, throughPort] = [await freePort(), await freePort()]
  const app = http.createServer(({ headers, socket }, response) => {
    response.end(`${headers['x-forwarded-for']}:${socket.localPort}`)
  })
  app.listen(0, '127.0.0.1')
  await once(app, 'listening')
  cleanups.push(() => {
    app.closeAllConnections()
    app.close()
  })
  const web = await startProxy(
    mkdtempSync(join(folder, 'p')),
    `
admin: 127.0.0.1:0
listeners:
  - name: web
    address: 127.0.0.1:0
    protocol: http
    proxyProtocolFrom: [127.0.0.0/8]
    routes: [{ path: /, to: app }]
upstreams:
  app: { endpoints: ['127.0.0.1:${(app.address() as net.AddressInfo).port}'] }
`,
  )
  cleanups.push(() => web.kill())
  const file = join(folder, 'nginx.conf')
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${join(folder, name)};`)
    .join('\n')
  const stream = spawnSync('nginx', ['-V']).stderr.toString().includes('--with-stream ') ? 'static' : 'module'
  writeFileSync(
    file,
    `${stream === 'module' ? 'load_module /usr/lib/nginx/modules/ngx_stream_module.so;' : ''}
daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
error_log ${join(folder, 'error.log')};
events { worker_connections 64; }
http {
  access_log off;
${temporary}
  server { listen 127.0.0.1:${port} proxy_protocol; return 200 $proxy_protocol_addr:$proxy_protocol_port; }
}
stream {
  server { listen 127.0.0.1:${throughPort}; proxy_pass 127.0.0.1:${web.port('web')}; proxy_protocol on; }
}
`,
  )
  daemon('nginx', ['-c', file, '-e', join(folder, 'error.log')])
  for (const version of [1, 2] as const) await tellsClient(await tcpProxyTo(port, version), `nginx, version ${version}`)
  assert.match((await fetchFrom('127.0.0.9', throughPort)).body, /^127\.0\.0\.9:/)
  // A chain: ours in front of ours, two headers one after the other would be refused, one is read.
  assert.match((await fetchFrom('127.0.0.31', await tcpProxyTo(web.port('web'), 2))).body, /^127\.0\.0\.31:/)
})
