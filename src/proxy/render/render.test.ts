import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ProxyConfig, parseProxyConfig } from '../config/index.ts'
import { parseNginx } from '../import/testing.ts'
import { type RenderInput, renderHaproxy, renderNginx } from './index.ts'

function input(yaml: string, more: Partial<RenderInput> = {}): RenderInput {
  const parsed = parseProxyConfig(yaml, { file: '/c/proxy.yaml' })
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return { config: parsed.config as ProxyConfig, resolved: new Map(), ...more }
}

const site = (route: string, upstream = "{endpoints: ['127.0.0.1:1']}"): string =>
  `listeners: [{name: web, address: ':8080', routes: [${route}]}]\nupstreams: {a: ${upstream}, b: {endpoints: ['127.0.0.1:2']}}`

describe('what an engine cannot do is told, in the result and beside it', () => {
  const cases: readonly (readonly [yaml: string, nginx: RegExp | undefined, haproxy: RegExp | undefined])[] = [
    [site('{to: a, mirror: b}'), undefined, /HAProxy does not mirror/],
    [site('{to: a, sticky: c}'), /no sticky cookies/, undefined],
    [site('{to: a, retry: {hedgeAfter: 10ms}}'), /does not hedge/, /does not hedge/],
    [site('{to: a}', "{endpoints: ['127.0.0.1:1'], check: /h}"), /no active health checks/, undefined],
    [site('{to: a}', "{endpoints: ['127.0.0.1:1'], balance: maglev}"), /no maglev/, /no maglev/],
    [
      site('{to: a}', "{endpoints: ['127.0.0.1:1'], circuit: {failures: 3}}"),
      /no circuit breaker/,
      /no circuit breaker/,
    ],
    [site('{to: a}', '{file: e.yaml}'), /a: has no endpoints now/, /a: has no endpoints now/],
  ]
  for (const [yaml, nginx, haproxy] of cases) {
    test(String(nginx ?? haproxy), () => {
      for (const [wanted, rendered] of [
        [nginx, renderNginx(input(yaml))],
        [haproxy, renderHaproxy(input(yaml))],
      ] as const) {
        if (wanted === undefined) continue
        assert.match(rendered.warnings.join('\n'), wanted)
        assert.match(rendered.text, new RegExp(`^#   .*${wanted.source}`, 'm'))
      }
    })
  }
})

test('endpoints of other sources stand beside the static ones, each once', () => {
  const endpoint = { id: 'i-1', host: '10.0.0.5', port: 80, weight: 2, priority: 0, zone: '', metadata: {} }
  const both = input(site('{to: a}', "{endpoints: ['127.0.0.1:1'], file: e.yaml}"), {
    resolved: new Map([['a', [endpoint, { ...endpoint, port: 81, id: 'i-2' }]]]),
  })
  assert.equal(renderNginx(both).text.match(/^ {4}server /gm)?.length, 3)
  assert.match(renderHaproxy(both).text, /server s\d_i-1 10\.0\.0\.5:80 weight 2/)
})

test('the same endpoints in another order are the same text: no reload for nothing', () => {
  const endpoints = [5, 1, 9].map((last) => ({
    id: `i-${last}`,
    host: `10.0.0.${last}`,
    port: 80,
    weight: 1,
    priority: 0,
    zone: '',
    metadata: {},
  }))
  const texts = [endpoints, [...endpoints].reverse()].map(
    (list) => renderNginx(input(site('{to: a}', '{file: e.yaml}'), { resolved: new Map([['a', list]]) })).text,
  )
  assert.equal(texts[0], texts[1])
})

/** Everything that could be syntax to an engine, wherever a configuration may hold text. */
const hostile = fc
  .array(
    fc.constantFrom(
      '"',
      "'",
      '\\',
      ';',
      '{',
      '}',
      '$',
      '${',
      '%',
      '%[',
      '#',
      ' ',
      '(',
      ')',
      '|',
      '&',
      '<',
      'a',
      '1',
      '$host',
      '$$',
      '\\n',
      'return',
      'server',
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((parts) => parts.join('').trim())

describe('hostile text stays text', () => {
  const path = hostile.map((text) => `/${text.replace(/[\s#?<]/g, '')}`)
  const configs = fc
    .record({ value: hostile, body: hostile, path, log: hostile, rewrite: path })
    .map(({ value, body, path: prefix, log, rewrite }) =>
      [
        `accessLog: ${JSON.stringify(`/tmp/${log}`)}`,
        `listeners: [{name: web, address: ':8080', routes: [`,
        `  {path: ${JSON.stringify(prefix)}, to: a, rewrite: {path: ${JSON.stringify(rewrite)}}, requestHeaders: {set: {x-a: ${JSON.stringify(value)}}, add: {x-b: ${JSON.stringify(value)}}}, responseHeaders: {set: {x-c: ${JSON.stringify(value)}}}},`,
        `  {path: /h, headers: {x-h: ${JSON.stringify(value)}}, respond: {status: 200, body: ${JSON.stringify(body)}}}]}]`,
        `upstreams: {a: {endpoints: ['127.0.0.1:1']}}`,
      ].join('\n'),
    )

  test('for nginx: the blocks and directives are those of a harmless configuration', () => {
    fc.assert(
      fc.property(configs, (yaml) => {
        const parsed = parseProxyConfig(yaml, { file: '/c/proxy.yaml' })
        fc.pre(parsed.ok)
        const directives = parseNginx(renderNginx({ config: parsed.config, resolved: new Map() }).text, 'x')
        assert.ok(Array.isArray(directives), JSON.stringify(directives))
        const names = (list: readonly { name: string; block?: readonly unknown[] | undefined }[]): string[] =>
          list.flatMap((each) => [
            each.name,
            ...(['http', 'server', 'location'].includes(each.name) ? names((each.block ?? []) as never) : []),
          ])
        const unexpected = names(directives).filter((name) => !known.has(name))
        assert.deepEqual(unexpected, [])
        assert.equal(names(directives).filter((name) => name === 'return').length, 3)
      }),
      { numRuns: 400 },
    )
  })

  test('for HAProxy: the lines begin as those of a harmless configuration', () => {
    fc.assert(
      fc.property(configs, (yaml) => {
        const parsed = parseProxyConfig(yaml, { file: '/c/proxy.yaml' })
        fc.pre(parsed.ok)
        const { text } = renderHaproxy({ config: parsed.config, resolved: new Map() })
        assert.doesNotMatch(text, /\r/)
        const heads = text
          .split('\n')
          .filter((line) => line !== '' && !line.startsWith('#'))
          .map((line) => line.trim().split(' ')[0]!)
        assert.deepEqual(
          heads.filter((head) => !haproxyHeads.has(head)),
          [],
        )
        for (const line of text.split('\n')) assert.ok(line.startsWith('#') || isBalanced(line), line)
      }),
      { numRuns: 400 },
    )
  })
})

const known = new Set(
  'worker_processes worker_shutdown_timeout events http absolute_redirect access_log add_header client_body_timeout client_header_timeout client_max_body_size default_type error_page geo keepalive_requests keepalive_timeout large_client_header_buffers listen location log_format map map_hash_bucket_size merge_slashes proxy_buffering proxy_connect_timeout proxy_hide_header proxy_http_version proxy_next_upstream proxy_next_upstream_tries proxy_pass proxy_read_timeout proxy_redirect proxy_request_buffering proxy_send_timeout proxy_set_header recursive_error_pages return rewrite send_timeout server server_name server_names_hash_bucket_size server_tokens set tcp_nodelay upstream variables_hash_max_size'.split(
    ' ',
  ),
)
const haproxyHeads = new Set(
  'global defaults frontend backend acl balance bind default_backend expose-experimental-directives hard-stop-after http-request http-response log log-format maxconn mode nbthread option retries retry-on server timeout use_backend'.split(
    ' ',
  ),
)

/** No quote of HAProxy's is left open at the end of the line. */
function isBalanced(line: string): boolean {
  let quote = ''
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!
    if (char === '\\' && quote !== "'") at++
    else if (quote === '' && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = ''
  }
  return quote === ''
}
