// What is imported from an nginx file routes as that nginx does: the same requests to the real nginx and to ours.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { importNginx } from '../../src/proxy/import/index.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { type Ask, ask, checkFile, freePort, startEcho, startEngine, untilItAnswers } from './rendered-engines.ts'

const servers = (port: number, a: number, b: number): string => `
  upstream app { server 127.0.0.1:${a}; keepalive 8; }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  server {
    listen 127.0.0.1:${port} default_server;
    server_name _;
    location / { return 404; }
    location /status/ { return 200 "up\\n"; }
  }
  server {
    listen 127.0.0.1:${port};
    server_name shop.example *.shop.example;
    location = /exact { proxy_pass http://app; }
    location ^~ /static/ { proxy_pass http://127.0.0.1:${b}/assets/; proxy_set_header Host $host; }
    location /static/deep/ { proxy_pass http://app; }
    location ~* \\.(png|jpg)$ { proxy_pass http://127.0.0.1:${b}; proxy_set_header X-Kind image; proxy_set_header Host $host; }
    location ~ ^/v(\\d+)/ { proxy_pass http://app; proxy_set_header Host fixed.example; }
    location /api/ { proxy_pass http://app/; proxy_set_header X-Real-IP $remote_addr; proxy_set_header Host $http_host; }
    location /old/ { return 301 https://$host$request_uri; }
    location /cut/ { rewrite ^/cut/(.*)$ /$1 break; proxy_pass http://app; }
    location / { proxy_pass http://127.0.0.1:${b}; add_header X-Served main always; proxy_hide_header X-From; }
  }
  server {
    listen 127.0.0.1:${port};
    server_name deep.shop.example;
    return 302 http://elsewhere.example/;
  }
`

const shop = { host: 'shop.example' }
const table: readonly Ask[] = [
  ...[
    '/exact',
    '/exact/',
    '/static/x.png',
    '/static/deep/x',
    '/static/deep/x.png',
    '/x.PNG',
    '/x.pngs',
    '/v2/x',
    '/v2/x.png',
    '/vx/x',
  ],
  ...['/api/', '/api/x?y=1', '/api/a/b', '/old/x?y', '/cut/x/y?z', '/', '/x?y=%20', '/static', '/status/'],
].map((path) => ({ path, headers: shop }))
const others: readonly Ask[] = [
  { path: '/x', headers: { host: 'a.shop.example' } },
  { path: '/x', headers: { host: 'deep.shop.example' } },
  { path: '/status/', headers: { host: 'none.example' } },
  { path: '/x', headers: { host: 'none.example' } },
  { path: '/api/x', method: 'POST', headers: { host: 'shop.example:99' } },
]

/** What both must agree on. */
async function outcome(port: number, asked: Ask): Promise<unknown> {
  const { status, headers, body } = await ask(port, asked)
  const echoed = body.startsWith('{"name"')
    ? (JSON.parse(body) as { name: string; url: string; method: string; headers: Record<string, unknown> })
    : undefined
  // Pages that an engine makes for its own errors are its own.
  const told = status === 200 ? body : undefined
  // nginx puts its own port into the redirects it makes itself; ours keeps the one that the client asked.
  if (echoed === undefined) return { status, location: headers.location?.replace(/(?<=example):\d+/, ''), told }
  const { host, 'x-kind': kind, 'x-real-ip': real } = echoed.headers
  return {
    status,
    name: echoed.name,
    url: echoed.url,
    method: echoed.method,
    host,
    kind,
    real,
    served: headers['x-served'],
    from: headers['x-from'],
  }
}

describe('an imported configuration and the nginx it comes from', { skip: skipWithout('nginx') }, () => {
  test('take the same requests to the same places', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-import-'))
    const [a, b] = [await startEcho('a'), await startEcho('b')]
    const port = await freePort()
    const file = join(folder, 'nginx.conf')
    const text = (at: number): string =>
      `pid ${folder}/pid;\nevents {}\nhttp {\n  access_log off;${servers(at, a.port, b.port)}}\n`
    writeFileSync(file, text(port))
    checkFile('nginx', file, folder)
    const nginx = spawn(requirePeer('nginx'), ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;'], {
      stdio: 'ignore',
    })
    const ours = await startEngine('ours', (at) => {
      const result = importNginx('/n/nginx.conf', { read: () => text(at), list: () => [] })
      assert.ok(result.ok, JSON.stringify(result))
      return result.yaml
    })
    try {
      await untilItAnswers(port)
      for (const asked of [...table, ...others])
        assert.deepEqual(await outcome(ours.port, asked), await outcome(port, asked), JSON.stringify(asked))
    } finally {
      nginx.kill('SIGTERM')
      await ours.stop()
      a.close()
      b.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
