// Idioms of real nginx files, one server each: the same requests to the real nginx and to what was made of its file.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { importNginx } from '../../src/proxy/import/index.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { type Ask, ask, checkFile, freePort, startEcho, startEngine, untilItAnswers } from './rendered-engines.ts'

const idioms: Readonly<Record<string, string>> = {
  certbot: 'if ($host = certbot.example) { return 301 https://$host$request_uri; } return 404;',
  rails:
    'root /none; try_files $uri @app; location @app { proxy_pass http://a; } location /cable/ { proxy_pass http://b; }',
  docker: `location / { set $port B; proxy_pass http://127.0.0.1:$port; } location /raw/ { set $up http://a; proxy_pass $up; }
    location ~ ^/f/(.*)$ { set $port A; proxy_pass http://127.0.0.1:$port/$1$is_args$args; }`,
  nested: `location / { proxy_pass http://a; } location ~ \\.(png|js)$ { return 200 outer; }
    location /n/ { proxy_pass http://b; location /n/deep/ { proxy_pass http://a; } location ~ \\.png$ { return 200 inner; } }
    location ^~ /s/ { proxy_pass http://b; location /s/x/ { proxy_pass http://a; } location ~ \\.js$ { return 200 script; } }`,
  rewrites: `rewrite ^/old/(.*)$ https://new.example/$1 permanent; location / { proxy_pass http://a; }
    location ^~ /cut/ { rewrite /cut(.*) $1 break; proxy_pass http://a; }
    location /some/ { rewrite ^/some/(.*)/x$ /y/$1 break; proxy_pass http://b; }
    location ~ ^/rooms/([a-z]+)$ { return 302 https://rooms.example/$1; }`,
  guards: `location / { proxy_pass http://a; } location /hidden { deny all; } location ~ /\\. { deny all; }
    location /inner/ { internal; proxy_pass http://a; }`,
  conditions: `location / { if ($request_method = OPTIONS) { add_header X-Cors yes; return 204; }
      if ($http_x_key ~* ^(one|two)$) { return 409; } if ($http_x_must = "") { return 412; } proxy_pass http://a; }
    location /post/ { if ($request_method !~ ^(POST|PUT)$) { return 405; } proxy_pass http://a; }
    location /flag/ { if ($http_x_flag) { return 410; } if ($http_x_set != "") { return 411; } proxy_pass http://a; }
    location /canary/ { if ($http_x_canary = yes) { proxy_pass http://b; } proxy_pass http://a; }`,
  maps: `location / { proxy_pass http://$group; } location /write/ { proxy_pass $writer; }
    location ~ ^/x(.*)$ { proxy_pass http://$group; deny all; } location /tenant/ { proxy_pass http://$tenant; }`,
}

const must = { 'x-must': 'x' }
const asks: Readonly<Record<string, readonly Ask[]>> = {
  certbot: [{ path: '/a?b' }],
  rails: ['/', '/x/y?z', '/cable/x'].map((path) => ({ path })),
  docker: ['/x', '/raw/x?y', '/f/g/h?i'].map((path) => ({ path })),
  nested: [
    '/x',
    '/x.png',
    '/n/x',
    '/n/x.png',
    '/n/x.js',
    '/n/deep/x',
    '/n/deep/x.png',
    '/s/x.js',
    '/s/x.png',
    '/s/x/y',
    '/s/x/y.js',
  ].map((path) => ({ path })),
  rewrites: ['/old/a/b?c', '/x', '/cut/a?b', '/cut/', '/some/a/x?q', '/some/a', '/rooms/blue', '/rooms/7'].map(
    (path) => ({ path }),
  ),
  guards: ['/x', '/hidden', '/hiddenx', '/hidden/x', '/.git', '/a/.git', '/inner/x', '/inner/'].map((path) => ({
    path,
  })),
  conditions: [
    { path: '/', method: 'OPTIONS' },
    { path: '/', headers: { ...must, 'x-key': 'TWO' } },
    { path: '/', headers: { ...must, 'x-key': 'three' } },
    { path: '/' },
    { path: '/', headers: must },
    { path: '/', headers: { 'x-must': '' } },
    ...['', '0', '1'].map((flag) => ({ path: '/flag/', headers: { 'x-flag': flag } })),
    ...['', 'x'].map((set) => ({ path: '/flag/', headers: { 'x-set': set } })),
    { path: '/flag/' },
    { path: '/post/' },
    { path: '/post/', method: 'PUT' },
    { path: '/canary/x', headers: { 'x-canary': 'yes' } },
    { path: '/canary/x', headers: { 'x-canary': 'no' } },
  ],
  maps: ['beta', 'BETA', 'betas', 'b12', 'B12', 'a.c', 'abc', 'zz)', '', undefined].flatMap((group): Ask[] => [
    { path: '/x/', headers: group === undefined ? {} : { 'x-group': group } },
    { path: '/y?z', headers: group === undefined ? {} : { 'x-group': group } },
    { path: '/write/', method: group === 'beta' ? 'PUT' : group === 'b12' ? 'DELETE' : 'GET' },
    { path: '/tenant/' },
  ]),
}

const nameServers =
  'server_name app.*; return 201;|server_name ~^w\\d+\\.names\\.example$; return 202;|server_name *.names.example; return 203;'

function nginxText(folder: string, port: number, a: number, b: number): string {
  const listen = `listen 127.0.0.1:${port};`
  const servers = Object.entries(idioms).map(([name, body]) => {
    const filled = body.replace(/(set \$port) A/, `$1 ${a}`).replace(/(set \$port) B/, `$1 ${b}`)
    return `server { ${listen} server_name ${name}.example; ${filled} }`
  })
  return [
    `pid ${folder}/pid;`,
    'events {}',
    'http {',
    'access_log off;',
    `root ${folder}/none;`,
    'proxy_set_header Host $host;',
    'map $http_x_group $group { ~^z+\\)$ b; ~*^B\\d+$ b; ~^b1 a; default a; "" b; Beta b; a.c b; }',
    'map $request_method $writer { default http://a; POST http://b; PUT http://b; }',
    'map $host $tenant { hostnames; default a; *.other.example a; .maps.example b; }',
    `upstream a { server 127.0.0.1:${a}; } upstream b { server 127.0.0.1:${b}; }`,
    `server { ${listen} server_name _; return 421; }`,
    ...servers,
    ...nameServers.split('|').map((body) => `server { ${listen} ${body} }`),
    '}',
  ].join('\n')
}

async function outcome(port: number, asked: Ask): Promise<unknown> {
  const { status, headers, body } = await ask(port, asked)
  if (!body.startsWith('{"name"'))
    return { status, location: headers.location, cors: headers['x-cors'], told: status === 200 ? body : undefined }
  const { name, url, method } = JSON.parse(body) as Record<string, unknown>
  return { status, name, url, method }
}

describe('idioms of real files', { skip: skipWithout('nginx') }, () => {
  test('are answered alike', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-idioms-'))
    const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
    try {
      const [a, b] = [await startEcho('a'), await startEcho('b')]
      undo.push(
        () => a.close(),
        () => b.close(),
      )
      const [port, file] = [await freePort(), join(folder, 'nginx.conf')]
      writeFileSync(file, nginxText(folder, port, a.port, b.port))
      checkFile('nginx', file, folder)
      const ours = await startEngine('ours', (at) => {
        const text = nginxText(folder, at, a.port, b.port)
        const result = importNginx('/n/nginx.conf', { read: () => text, list: () => [] })
        assert.ok(result.ok, JSON.stringify(result))
        return result.yaml
      })
      undo.push(() => ours.stop())
      const nginx = spawn(requirePeer('nginx'), ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;'], {
        stdio: 'ignore',
      })
      undo.push(() => nginx.kill('SIGTERM'))
      await untilItAnswers(port)
      const all = Object.entries(asks).flatMap(([name, list]) =>
        list.map((asked): Ask => ({ ...asked, headers: { ...asked.headers, host: `${name}.example` } })),
      )
      const named = [
        'app.example',
        'w7.names.example',
        'x.names.example',
        'app.names.example',
        'w7.names.example:8080',
        'none',
      ].map((host): Ask => ({ path: '/', headers: { host } }))
      for (const asked of [...all, ...named])
        assert.deepEqual(await outcome(ours.port, asked), await outcome(port, asked), JSON.stringify(asked))
    } finally {
      for (const step of undo.reverse()) await step()
    }
  })
})
