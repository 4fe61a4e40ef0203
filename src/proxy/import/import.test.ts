import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type HttpListenerConfig, parseProxyConfig, type RouteConfig } from '../config/index.ts'
import { type ImportResult, importNginx } from './index.ts'

const testdata = join(import.meta.dirname, 'testdata')

/** Imports a text, with other files beside it. */
function imported(
  text: string,
  others: Readonly<Record<string, string>> = {},
  options: { readonly skipMissing?: boolean } = {},
): ImportResult {
  const files: Record<string, string> = { '/n/nginx.conf': text, ...others }
  const read = (path: string): string => {
    const found = files[path]
    if (found === undefined) throw new Error('no such file')
    return found
  }
  const list = (folder: string): string[] =>
    Object.keys(files).flatMap((path) => (path.startsWith(`${folder}/`) ? [path.slice(folder.length + 1)] : []))
  return importNginx('/n/nginx.conf', { read, list }, options)
}

function routes(text: string): readonly RouteConfig[] {
  const result = imported(text)
  assert.ok(result.ok, JSON.stringify(result))
  const parsed = parseProxyConfig(result.yaml, { file: '/n/x.yaml' })
  assert.ok(parsed.ok)
  return (parsed.config.listeners[0] as HttpListenerConfig).routes
}

function notes(text: string): string {
  const result = imported(text)
  assert.ok(result.ok, JSON.stringify(result))
  return result.notes.map(({ line, directive, why }) => `${line} ${directive}: ${why}`).join('\n')
}

const site = (body: string): string => `http { upstream u { server 127.0.0.1:1; } server { listen 8080; ${body} } }`

test('a whole configuration, as it is written in testdata', () => {
  const file = join(testdata, 'shop.nginx.conf')
  const result = importNginx(file, {
    read: (path) => readFileSync(path, 'utf8'),
    list: (folder) => readdirSync(folder),
  })
  assert.ok(result.ok, JSON.stringify(result))
  const golden = join(testdata, 'shop.yaml')
  const written = result.yaml
  if (process.env['SYNOD_REWRITE_GOLDEN'] === '1') writeFileSync(golden, written)
  assert.equal(written, readFileSync(golden, 'utf8'))
})

describe('locations', () => {
  /** The first route whose path matches, as the router would find it. */
  function taken(all: readonly RouteConfig[], path: string): string {
    const route = all.find(({ match }) => {
      if (match.path.type === 'exact') return match.path.value === path
      if (match.path.type === 'regex') return match.path.value.test(path)
      const prefix = match.path.value
      return (
        path.startsWith(prefix) &&
        (prefix.endsWith('/') || path.length === prefix.length || path[prefix.length] === '/')
      )
    })
    return route?.action.type === 'respond' ? route.action.body : 'none'
  }

  test('are tried in nginx’s order of precedence', () => {
    const all = routes(
      site(`
      location / { return 200 root; }
      location /a/ { return 200 a; }
      location /a/b/ { return 200 ab; }
      location ^~ /s/ { return 200 s; }
      location /s/plain/ { return 200 splain; }
      location ~ \\.php$ { return 200 php; }
      location ~* \\.(JPG|php)$ { return 200 jpg; }
      location = /a/x.php { return 200 exact; }`),
    )
    const wanted: Readonly<Record<string, string>> = {
      '/': 'root',
      '/q': 'root',
      '/a/q': 'a',
      '/a/b/q': 'ab',
      '/a/b/q.php': 'php',
      '/a/x.php': 'exact',
      '/x.jpg': 'jpg',
      '/s/q.php': 's',
      '/s/plain/q': 'splain',
      '/s/plain/q.php': 'php',
      '/s/plain/q.Jpg': 'jpg',
    }
    for (const [path, name] of Object.entries(wanted)) assert.equal(taken(all, path), name, path)
  })

  test('what cannot be served answers 404, and does not fall to another server', () => {
    const all = routes(`server { listen 1; server_name a.example; location /x/ { proxy_pass http://127.0.0.1:2; } }
      server { listen 1 default_server; location / { proxy_pass http://127.0.0.1:3; } }`)
    const forA = all.filter(({ match }) => match.hosts.includes('a.example'))
    assert.deepEqual(
      forA.map(({ action }) => action.type),
      ['redirect', 'forward', 'respond'],
    )
    assert.equal(all.at(-1)!.match.hosts.length, 0)
  })

  test('the path in proxy_pass takes the place of the prefix', () => {
    const [slash, route] = routes(site('location /api/ { proxy_pass http://u/v1/; }'))
    assert.deepEqual([slash!.match.path, slash!.action.type], [{ type: 'exact', value: '/api' }, 'redirect'])
    assert.equal(route!.rewrite.path, '/v1/')
    assert.equal(route!.rewrite.host, 'u')
  })

  test('a path in proxy_pass that ends otherwise than the location is put in its place as it stands', () => {
    const taken = (text: string): readonly unknown[] => {
      const route = routes(site(text)).at(-2)!
      const { path } = route.match
      return [path.type === 'regex' ? path.value.source : path.value, route.rewrite.path]
    }
    assert.deepEqual(taken('location /a/ { proxy_pass http://u/v; }'), ['^\\/a\\/(.*)$', '/v$1'])
    assert.deepEqual(taken('location /a { proxy_pass http://u/v/; }'), ['^\\/a(.*)$', '/v/$1'])
    assert.deepEqual(taken('location /a { proxy_pass http://u/v; }'), ['/a', '/v'])
  })

  test('paths of locations are decoded ones', () => {
    const all = routes(site('location "/a b/" { return 200; } location = /50%20 { return 200; }'))
    assert.deepEqual(
      all.slice(0, 2).map(({ match }) => match.path),
      [
        { type: 'exact', value: '/50%2520' },
        { type: 'prefix', value: '/a%20b/' },
      ],
    )
  })

  test('capitals of the prefix matter where those of the expression do not', () => {
    const all = routes(site('location ^~ / { return 200; } location /a/ { return 200; } location ~* x { return 200; }'))
    const { path } = all[0]!.match
    assert.ok(path.type === 'regex')
    assert.deepEqual(
      ['/a/x', '/a/X', '/A/x'].map((each) => (path.value as RegExp).test(each)),
      [true, true, false],
    )
  })

  test('a rewrite that cuts a prefix', () => {
    const [, route] = routes(
      site('location /api/ { rewrite ^/api/(.*)$ /$1 break; proxy_pass http://u; proxy_set_header Host $host; }'),
    )
    assert.deepEqual(route!.rewrite, { path: '/', host: undefined })
  })
})

describe('what is not carried over is told', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    [site('location / { proxy_pass http://$backend; }'), /which server \$backend is/],
    [site('location / { root /var/www; try_files $uri =404; }'), /(root|try_files).*404/],
    [site('server_name ~(?<!a)b++; location / { proxy_pass http://u; }'), /neither a name nor/],
    [site('location ~ (?<!a)b++ { proxy_pass http://u; }'), /regular expression/],
    [site('location / { proxy_pass http://u; gzip on; }'), /gzip on: bodies are not compressed/],
    [site('location / { if ($a) { return 403; } proxy_pass http://u; }'), /if \(\$a\): .* what it refuses gets in/],
    [site('location / { proxy_pass http://u; proxy_set_header X-Id $ssl_client_i_dn; }'), /X-Id/],
    [
      site('location /a { rewrite ^/a(.*)$ /$1 break; proxy_pass http://u; }'),
      /sends one slash where nginx would send two/,
    ],
    [site('location /a/ { rewrite ^/a/(.*)$ /v$1 last; proxy_pass http://u; }'), /this rewrite is not carried over/],
    [site('location ~ "a b" { return 200; }'), /regular expression/],
    [site('listen unix:/x; location / { proxy_pass http://u; }'), /unix:/],
    ['http { upstream u { server 127.0.0.1:1 down; } server { location / { proxy_pass http://u; } } }', /is down/],
    ['geo $x { default 0; } server { location / { return 200; } }', /geo \$x: not carried over/],
  ]
  for (const [text, wanted] of cases) test(String(wanted), () => assert.match(notes(text), wanted))
})

describe('syntax', () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['server {', 'ends within a block'],
    ['server { } }', 'opens nowhere'],
    ['listen 80', 'lacks ";"'],
    ['server { listen 80 }', 'lacks ";" before "}"'],
    ['a "b', 'a quote that does not end'],
    ['a "b"c;', 'right after a quote'],
    ['{}', 'without a directive'],
    [`${'a{'.repeat(40)}`, 'nested deeper than 32'],
    ['include none.conf;', 'cannot read /n/none.conf'],
    ['include nginx.conf;', 'deeper than 16'],
    ['', 'no server'],
  ]
  for (const [text, wanted] of wrong) {
    test(wanted, () => {
      const result = imported(text)
      assert.ok(!result.ok)
      assert.ok(
        result.problems.some(({ message }) => message.includes(wanted)),
        JSON.stringify(result.problems),
      )
    })
  }

  test('includes take wildcards', () => {
    const server = (port: number): string => `server { listen ${port}; location / { return 200 ok; } }`
    const result = imported('http { include conf.d/*.conf; include [!a]x.conf; }', {
      '/n/conf.d/1.conf': server(1),
      '/n/conf.d/2.conf': server(2),
      '/n/conf.d/3.off': server(3),
      '/n/bx.conf': server(4),
      '/n/ax.conf': server(5),
    })
    assert.ok(result.ok)
    const ports = [...result.yaml.matchAll(/address: 0\.0\.0\.0:(\d)/g)].map(([, port]) => port)
    assert.deepEqual(ports, ['1', '2', '4'])
  })

  test('fuzz: whatever it is, it is refused or becomes what our parser takes', () => {
    const words = fc.constantFrom(
      ...`http server location upstream listen server_name proxy_pass return include stream map split_clients rewrite { } ; ; { } { } " ' \\ # $ = ~ ~* ^~ / /a/ http://u http://127.0.0.1:1 80 443 ssl 127.0.0.1:1 proxy_set_header Host add_header 200 301 https://$host u weight=3 ssl_certificate \n a: "a b" limit_req mirror`.split(
        ' ',
      ),
    )
    const shaped = fc
      .array(words, { maxLength: 40 })
      .map((list) => `http { upstream u { server 1.2.3.4; } server { location / { return 200; } ${list.join(' ')} } }`)
    const sample = readFileSync(join(testdata, 'shop.nginx.conf'), 'utf8').replace('include sites/*.conf;', '')
    const mutated = fc
      .tuple(fc.nat(sample.length), fc.nat(12), fc.oneof(words, fc.string({ maxLength: 6 })))
      .map(([at, cut, text]) => sample.slice(0, at) + text + sample.slice(at + cut))
    fc.assert(
      fc.property(fc.oneof(shaped, mutated, fc.string()), (text) => {
        const result = imported(text)
        if (result.ok) assert.ok(parseProxyConfig(result.yaml, { file: '/n/x.yaml' }).ok)
        else
          assert.ok(
            !result.problems.some(({ message }) => message.includes('what was made of it is wrong')),
            `${JSON.stringify(result.problems)}\n${text}`,
          )
      }),
      { numRuns: 1_500 },
    )
  })
})

test('an id of its own, as nginx makes one, is asked of the listener', () => {
  const result = imported(
    site(
      'location / { proxy_set_header X-Request-ID $request_id; proxy_set_header X-Trace "t-$request_id"; proxy_pass http://u; }',
    ),
  )
  assert.ok(result.ok)
  const parsed = parseProxyConfig(result.yaml, { file: '/n/x.yaml' })
  assert.ok(parsed.ok)
  const listener = parsed.config.listeners[0] as HttpListenerConfig
  assert.equal(listener.requestIds, 'replace')
  assert.deepEqual(listener.routes[0]!.requestHeaders.set, [['x-trace', 't-$request_id']])
})

test('an id that is not sent on may be the client’s, and that is told', () => {
  assert.match(notes(site('location / { add_header X-Id $request_id; proxy_pass http://u; }')), /requestIds: replace/)
  assert.doesNotMatch(notes(site('location / { proxy_pass http://u; }')), /requestIds/)
})
