// Drawn sets of locations in the real nginx, and what our proxy makes of the same file: each request must reach the same
// backend with the same path, or get the same answer. SYNOD_LOCATION_SETS and SYNOD_SEED make it longer or another one.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { importNginx } from '../../src/proxy/import/index.ts'
import { canonicalPath } from '../../src/proxy/routing/index.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { Asker, checkFile, freePort, startEcho, startEngine, untilItAnswers } from './rendered-engines.ts'

const sets = Number(process.env['SYNOD_LOCATION_SETS'] ?? 150)
const seed = Number(process.env['SYNOD_SEED'] ?? 5)
const requestsPerSet = 20

interface Location {
  readonly head: string
  readonly body: string
}

const values = [
  '/',
  '/a',
  '/a/',
  '/a/b',
  '/a/b/',
  '/b',
  '/b/',
  '/ab/',
  '/a.png',
  '/a/b/c/',
  '/a/c.png',
  '/a%20b/',
  '"/a b/"',
  '/A/',
]
const regexes = ['\\.png$', '^/a', 'b', '^/a/(b|c)', '/$', '^/(?<first>[ab]+)/', '^/A', 'c\\.', '^/a/b/.*\\.PNG$']
const uris = ['', '', '', '/', '/v', '/v/', '/v/w/', '/a/']

const locationSet = fc
  .tuple(
    fc.uniqueArray(
      fc.record({
        modifier: fc.constantFrom('', '', '', '^~', '='),
        value: fc.constantFrom(...values),
        uri: fc.constantFrom(...uris),
        kind: fc.constantFrom('pass', 'pass', 'pass', 'return', 'redirect'),
      }),
      // To nginx, `^~ /a` is the same location as `/a`.
      { selector: ({ modifier, value }) => `${modifier === '=' ? '=' : ''}${value}`, maxLength: 7 },
    ),
    fc.array(
      fc.record({
        modifier: fc.constantFrom('~', '~*'),
        value: fc.constantFrom(...regexes),
        uri: fc.constant(''),
        kind: fc.constantFrom('pass', 'pass', 'return'),
      }),
      { maxLength: 3 },
    ),
    fc.infiniteStream(fc.nat(1_000)),
  )
  .map(([plain, regular, draws]) => {
    const all = [...plain, ...regular]
    const order = new Map(all.map((each) => [each, draws.next().value]))
    all.sort((a, b) => order.get(a)! - order.get(b)!)
    return all.map(({ modifier, value, uri, kind }, index): Location => {
      const quoted = modifier.startsWith('~') ? `"${value.replaceAll('\\', '\\\\')}"` : value
      const bodies = {
        pass: `proxy_pass http://app${uri}; proxy_set_header X-Location "${index}";`,
        return: `return 200 "location ${index}";`,
        redirect: `return 302 "http://moved.example/${index}$request_uri";`,
      }
      return { head: `location ${modifier} ${quoted}`, body: bodies[kind as keyof typeof bodies] }
    })
  })

const segment = fc.constantFrom(
  'a',
  'a',
  'b',
  'b',
  'c',
  'ab',
  'abc',
  'A',
  'a.png',
  'c.png',
  'C.PNG',
  'a%20b',
  '%61',
  'x',
  '',
)
const path = fc
  .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '/', '?x=/a', '?'))
  .map(([segments, end]) => `/${segments.join('/')}${end}`)
const odd = fc.constantFrom(
  '/a/./b',
  '/x/../a/b',
  '/a/b/..',
  '/a//b',
  '//a/b',
  '/b/%2e%2e/a/b',
  '/a%2Fb',
  '/a/b%3Fc',
  '/',
)
const requests = fc.array(fc.oneof({ arbitrary: path, weight: 6 }, { arbitrary: odd, weight: 1 }), {
  minLength: requestsPerSet,
  maxLength: requestsPerSet,
})

/** `/a` takes `/ab` in nginx and not with us, which the import tells. */
function isTold(locations: readonly Location[], asked: string): boolean {
  const at = decodeURIComponent(new URL(asked.replace(/\/{2,}/g, '/'), 'http://x').pathname)
  return locations.some(({ head }) => {
    const value = /^location (?:\^~)? (\/[^ ]*[^/])$/.exec(head)?.[1]
    return value !== undefined && at.startsWith(value) && !['', '/'].includes(at.slice(value.length, value.length + 1))
  })
}

interface Seen {
  readonly status: number
  readonly location: string | undefined
  readonly url?: string
  readonly by?: unknown
  readonly told?: string | undefined
}

/**
 * Ours sends on the path without dot segments where nginx sends them as they came, and `%2F` where nginx decodes it when it
 * replaces a part; and keeps a `?` without a query. So there only what the paths mean is compared.
 */
function comparable(asked: string, url: string): string {
  if (!/%|\/\.|\/\//.test(asked)) return url.replace(/\?$/, '')
  const query = url.indexOf('?')
  const end = query === -1 ? url.length : query
  return `${canonicalPath(url)?.matched}${url.slice(end).replace(/^\?$/, '')}`
}

async function outcome(asker: Asker, host: string, target: string): Promise<Seen> {
  const { status: answered, headers, body } = await asker.ask({ path: target, headers: { host } })
  // Where no location takes the request, nginx looks for a file, or for an index, which it may not list.
  const status = answered === 403 ? 404 : answered
  // nginx puts its own port into the redirects that it makes itself.
  const location = headers.location?.replace(/(?<=\.example):\d+/, '')
  if (!body.startsWith('{"name"')) return { status, location, told: status === 200 ? body : undefined }
  const echoed = JSON.parse(body) as { url: string; headers: Record<string, unknown> }
  return { status, location, url: comparable(target, echoed.url), by: echoed.headers['x-location'] }
}

describe('drawn locations', { skip: skipWithout('nginx') }, () => {
  test(`${sets} sets, ${requestsPerSet} requests to each: seed ${seed}`, async () => {
    const drawn = fc.sample(fc.tuple(locationSet, requests), { seed, numRuns: sets })
    const folder = mkdtempSync(join(tmpdir(), 'synod-locations-'))
    const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]
    try {
      const echo = await startEcho('app')
      undo.push(() => echo.close())
      const [port, file] = [await freePort(), join(folder, 'nginx.conf')]
      const text = (at: number): string => nginxText(folder, at, echo.port, drawn)
      writeFileSync(file, text(port))
      checkFile('nginx', file, folder)
      const ours = await startEngine('ours', (at) => {
        const result = importNginx('/n/nginx.conf', { read: () => text(at), list: () => [] })
        assert.ok(result.ok, JSON.stringify(result).slice(0, 2_000))
        return result.yaml
      })
      undo.push(() => ours.stop())
      const nginx = spawn(requirePeer('nginx'), ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;'], {
        stdio: 'ignore',
      })
      undo.push(() => nginx.kill('SIGTERM'))
      await untilItAnswers(port)
      const askers = [new Asker(port), new Asker(ours.port)] as const
      undo.push(() => {
        for (const asker of askers) asker.close()
      })
      const unequal = await differences(askers, drawn)
      assert.equal(unequal.length, 0, `${unequal.length} unequal:\n${unequal.slice(0, 8).join('\n')}`)
    } finally {
      for (const step of undo.reverse()) await step()
    }
  })
})

type Drawn = readonly (readonly [locations: readonly Location[], targets: readonly string[]])[]

/** What nginx and ours answer otherwise, one a set. */
async function differences([theirs, ours]: readonly [Asker, Asker], drawn: Drawn): Promise<string[]> {
  const unequal: string[] = []
  for (const [index, [locations, targets]] of drawn.entries()) {
    for (const target of new Set(targets)) {
      if (isTold(locations, target)) continue
      const host = `s${index}.example`
      const [wanted, found] = [await outcome(theirs, host, target), await outcome(ours, host, target)]
      if (isDeepStrictEqual(wanted, found)) continue
      unequal.push(
        `${target}\n  nginx ${JSON.stringify(wanted)}\n  ours  ${JSON.stringify(found)}\n${shown(locations)}`,
      )
      break
    }
  }
  return unequal
}

const shown = (locations: readonly Location[]): string =>
  locations.map(({ head, body }) => `  ${head} { ${body} }`).join('\n')

function nginxText(folder: string, port: number, app: number, drawn: Drawn): string {
  const servers = drawn.map(
    ([locations], index) => `server { listen 127.0.0.1:${port}; server_name s${index}.example;\n${shown(locations)}\n}`,
  )
  return [
    `pid ${folder}/pid;`,
    'events {}',
    'http {',
    'access_log off;',
    `root ${folder}/none;`,
    'server_names_hash_max_size 4096;',
    `upstream app { server 127.0.0.1:${app}; keepalive 8; }`,
    'proxy_http_version 1.1;',
    'proxy_set_header Connection "";',
    `server { listen 127.0.0.1:${port} default_server; return 421; }`,
    ...servers,
    '}',
  ].join('\n')
}
