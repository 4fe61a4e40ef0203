// nginx files that are well formed and hold directives we know, with arguments that fit or do not: whatever they are, the
// result is one that our parser takes, and that can be rendered again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseProxyConfig } from '../config/index.ts'
import { renderHaproxy, renderNginx } from '../render/index.ts'
import { importNginx } from './index.ts'

const paths = '/ /a /a/ "/a b" ~ ~* ^~ = "^/x(.*)$" "\\.png$" /$1 %20 %zz é'
const targets = 'http://u http://u/ https://u/v http://$x u unix:/x 127.0.0.1:1 127.0.0.1:2 " " ""'
const addresses = '80 0.0.0.0:81 [::]:82 *:83 x.example *.x.example .y.example x.* @a "~^w" 10.0.0.0/8'
const listenFlags = 'ssl http2 default_server proxy_protocol TLSv1.3 on off always'
const amounts = '1m 10s 5 -1 99999999999999999999 weight=0 weight=2 backup down max_fails=0 fail_timeout=1s 50% *'
const limits = 'zone=a:1m rate=10r/s burst=5 zone=a $binary_remote_addr error timeout http_503 non_idempotent'
const texts =
  '200 301 404 999 "ok $host" break last permanent Host X-A $host $http_x "it\'s" /etc/a.pem X-Forwarded-For'
const argument = fc.oneof(
  fc.constantFrom(
    ...[paths, targets, addresses, listenFlags, amounts, limits, texts].flatMap((each) => each.match(/"[^"]*"|\S+/g)!),
  ),
  fc.string({ maxLength: 5 }).map((text) => JSON.stringify(text)),
)

const directive = (names: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...names.split(' ')), fc.array(argument, { maxLength: 4 }))
    .map(([name, args]) => `${name} ${args.join(' ')};`)
const block = (head: fc.Arbitrary<string>, body: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.tuple(head, fc.array(body, { maxLength: 5 })).map(([words, lines]) => `${words} {\n${lines.join('\n')}\n}`)
const table = (head: string): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(argument, argument), { maxLength: 3 })
    .map((pairs) => `${head} { ${pairs.map(([key, value]) => `${key} ${value};`).join(' ')} }`)

const inLocation =
  'proxy_pass grpc_pass return rewrite proxy_set_header grpc_set_header add_header proxy_hide_header root try_files client_max_body_size proxy_read_timeout proxy_connect_timeout limit_req mirror proxy_next_upstream proxy_next_upstream_tries proxy_ssl_verify proxy_ssl_name proxy_ssl_trusted_certificate internal deny allow auth_basic limit_except set default_type proxy_redirect limit_req_status'
const inServer = `${inLocation} listen server_name ssl_certificate ssl_certificate_key ssl_protocols ssl_client_certificate ssl_verify_client keepalive_timeout large_client_header_buffers set_real_ip_from real_ip_header error_page access_log`
const condition = fc.constantFrom(
  ...`$host = x.example,$host != x.example,$host ~ ^x,$http_host ~* (a|X),$scheme = http,$http_x_a,$http_x_a = v,$http_x_a != v,$http_x_a ~* [a-f]x,$http_x_a !~ ^$,$request_method = POST,$request_method !~ ^(GET|HEAD)$,$uri ~ ^/a,$uri = /a,-f $request_filename,!-e $uri,$args`.split(
    ',',
  ),
)
const conditional = block(
  condition.map((text) => `if (${text})`),
  directive('return rewrite set add_header proxy_pass break'),
)
const inner = block(
  fc.array(argument, { minLength: 1, maxLength: 2 }).map((args) => `location ${args.join(' ')}`),
  directive(inLocation),
)
const location = block(
  fc.array(argument, { minLength: 1, maxLength: 2 }).map((args) => `location ${args.join(' ')}`),
  fc.oneof(directive(inLocation), directive(inLocation), conditional, inner),
)
const named = block(fc.constant('location @a'), directive(inLocation))
const server = block(fc.constant('server'), fc.oneof(directive(inServer), location, location, conditional, named))
const upstream = block(
  argument.map((name) => `upstream ${name}`),
  directive('server server keepalive least_conn ip_hash hash zone random'),
)
const map = fc
  .tuple(fc.constantFrom('$host', '$http_x', '$request_method', '$scheme', '$cookie_x'), table('hostnames; default u;'))
  .map(([source, entries]) => `map ${source} $x { ${entries.replace('{', '')}`)
const http = block(
  fc.constant('http'),
  fc.oneof(
    server,
    server,
    upstream,
    directive(`${inServer} limit_req_zone`),
    table('split_clients $remote_addr $x'),
    map,
  ),
)
const streamServer = block(
  fc.constant('server'),
  directive('listen proxy_pass ssl_preread proxy_timeout proxy_protocol'),
)
const stream = block(fc.constant('stream'), fc.oneof(streamServer, upstream, table('map $ssl_preread_server_name $x')))
const whole = fc.tuple(http, fc.option(stream)).map((blocks) => blocks.join('\n'))

test('files of nginx with any arguments', () => {
  const found = { imported: 0, refused: 0 }
  fc.assert(
    fc.property(whole, (text) => {
      const result = importNginx('/n/nginx.conf', { read: () => text, list: () => [] })
      if (!result.ok) {
        found.refused++
        const told = result.problems.map(({ message }) => message).join('\n')
        assert.ok(!told.includes('what was made of it is wrong'), told)
        return
      }
      found.imported++
      const parsed = parseProxyConfig(result.yaml, { file: '/n/proxy.yaml' })
      assert.ok(parsed.ok)
      for (const render of [renderNginx, renderHaproxy]) render({ config: parsed.config, resolved: new Map() })
    }),
    {
      numRuns: 1_000,
      examples: [
        ['http { server { listen " "; return 200; } }'],
        [
          'http { map $http_x $x { default u; ~^w u; "it\'s" 127.0.0.1:1; } server { location / { proxy_pass http://$x; } } }',
        ],
        ['http { server { location /"$a/ { proxy_pass http://127.0.0.1:1; } } }'],
      ],
    },
  )
  assert.ok(found.imported > 100 && found.refused > 100, JSON.stringify(found))
})
