// Where answers send clients, by nginx's `proxy_redirect`: the same answers of upstreams through the real nginx and through
// what was made of its file, and through nginx and HAProxy as rendered from that.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { importNginx } from '../../src/proxy/import/index.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { type Ask, ask, checkFile, freePort, startEcho, startEngine, untilItAnswers } from './rendered-engines.ts'

function nginxText(folder: string, port: number, echo: number): string {
  const to = `http://127.0.0.1:${echo}`
  return `pid ${folder}/pid;
events {}
http {
  access_log off;
  absolute_redirect off;
  upstream app { server 127.0.0.1:${echo}; }
  server {
    listen 127.0.0.1:${port};
    server_name shop.example;
    location / { proxy_pass http://app; }
    location /api/ { proxy_pass http://app/v1/; }
    location = /one { proxy_pass ${to}/other; }
    location /host/ { proxy_pass ${to}; proxy_set_header Host $host; }
    location /default/ { proxy_pass http://app/; proxy_redirect default; }
    location /off/ { proxy_pass http://app/; proxy_redirect off; }
    location /own/ { proxy_pass http://app; proxy_redirect http://inner.example:8080/ /outer/; proxy_redirect http://app/ https://$host/; }
    location /mixed/ { proxy_pass http://app/; proxy_redirect http://inner.example/ ""; proxy_redirect default; }
    location /chain/ { proxy_pass http://app; proxy_redirect http://inner.example/ http://app/; proxy_redirect http://app/ /z/; }
    location /vars/ { proxy_pass http://app; proxy_redirect http://$proxy_host/ $scheme://$http_host/vars/; }
    location /variable/ { set $up http://app; proxy_pass $up; }
    location ~ ^/regex/ { proxy_pass http://app; }
    location /inherits/ { proxy_pass http://app; location /inherits/off/ { proxy_pass http://app; proxy_redirect off; } }
  }
}
`
}

const paths =
  '/ /api/ /one /host/ /default/ /off/ /own/ /mixed/ /chain/ /vars/ /variable/ /regex/ /inherits/ /inherits/off/'.split(
    ' ',
  )

function placesOf(echo: number): readonly string[] {
  return [
    'http://app/x?y=http://app/',
    'http://app/v1/x',
    'http://APP/x',
    'http://app',
    // What the rendered nginx calls it.
    'http://synod_app/x',
    'https://app/x',
    `http://127.0.0.1:${echo}/other`,
    `http://127.0.0.1:${echo}/x`,
    'http://inner.example:8080/x',
    'http://inner.example/x',
    'http://shop.example/x',
    '/x',
    'x',
  ]
}

interface Case extends Ask {
  readonly header: 'location' | 'refresh'
}

function casesOf(echo: number): readonly Case[] {
  const host = 'shop.example:81'
  return paths.flatMap((path) =>
    placesOf(echo).flatMap((place): Case[] => [
      { path, header: 'location', headers: { host, 'x-answer-location': place } },
      { path, header: 'refresh', headers: { host, 'x-answer-refresh': `5; URL=${place}` } },
    ]),
  )
}

async function seenOf(port: number, { header, ...asked }: Case): Promise<unknown> {
  const { status, headers } = await ask(port, asked)
  return { status, place: headers[header] }
}

describe('where answers send clients', { skip: skipWithout('nginx', 'haproxy') }, () => {
  test('is told as nginx tells it, by ours and by what is rendered from it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'synod-redirects-'))
    const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
    try {
      const echo = await startEcho('a')
      undo.push(() => echo.close())
      const [port, file] = [await freePort(), join(folder, 'nginx.conf')]
      writeFileSync(file, nginxText(folder, port, echo.port))
      checkFile('nginx', file, folder)
      const nginx = spawn(requirePeer('nginx'), ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;'], {
        stdio: 'ignore',
      })
      undo.push(() => nginx.kill('SIGTERM'))
      await untilItAnswers(port)
      for (const engine of ['ours', 'nginx', 'haproxy'] as const) {
        const made = await startEngine(engine, (at) => {
          const text = nginxText(folder, at, echo.port)
          const result = importNginx('/n/nginx.conf', { read: () => text, list: () => [] })
          assert.ok(result.ok, JSON.stringify(result))
          assert.doesNotMatch(JSON.stringify(result.notes), /Location/)
          return result.yaml
        })
        undo.push(() => made.stop())
        let rewritten = 0
        for (const asked of casesOf(echo.port)) {
          const expected = await seenOf(port, asked)
          assert.deepEqual(await seenOf(made.port, asked), expected, `${engine} ${JSON.stringify(asked)}`)
          if (!Object.values(asked.headers!).includes((expected as { place: string }).place)) rewritten++
        }
        assert.ok(rewritten > 30, `${rewritten} places were replaced`)
      }
    } finally {
      for (const step of undo.reverse()) await step()
    }
  })
})
