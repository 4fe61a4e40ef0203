// What people really write in nginx files: each idiom, and what is made of it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { formatNotes, importNginx } from './index.ts'

interface Imported {
  readonly listeners: readonly (Record<string, unknown> & { readonly routes: readonly Record<string, unknown>[] })[]
  readonly upstreams?: Readonly<Record<string, unknown>>
}

function imported(text: string): { readonly config: Imported; readonly yaml: string; readonly notes: string } {
  const result = importNginx('/n/nginx.conf', { read: () => text, list: () => [] })
  assert.ok(result.ok, JSON.stringify(result))
  return {
    config: parse(result.yaml) as Imported,
    yaml: result.yaml,
    notes: formatNotes(result.notes, '/n').join('\n'),
  }
}

/** The routes of a server with this body, in front of a service that sees the client's Host. */
function routes(body: string): readonly Record<string, unknown>[] {
  return imported(wrapped(body)).config.listeners[0]!.routes
}

const wrapped = (body: string): string =>
  `upstream u { server 127.0.0.1:1; } proxy_set_header Host $host; server { listen 80; server_name a.example b.example; ${body} }
   server { listen 80 default_server; return 421; }`

describe('conditions', () => {
  test('certbot’s redirect of each name', () => {
    const made = routes(
      'if ($host = a.example) { return 301 https://$host$request_uri; } if ($host = c.example) { return 301 /no; } return 404;',
    )
    assert.deepEqual(made.slice(0, 2), [
      { host: 'a.example', redirect: { location: 'https://$host$request_uri', status: 301 } },
      { host: ['a.example', 'b.example'], respond: 404 },
    ])
  })

  test('what the listener decides is decided at once', () => {
    const made = routes(
      'if ($scheme = http) { return 301 https://$server_name$request_uri; } location / { proxy_pass http://u; }',
    )
    assert.deepEqual(made[0]!['redirect'], { location: 'https://a.example$request_uri', status: 301 })
    assert.equal(made.length, 2)
  })

  test('headers and methods become matches, and what is absent is empty', () => {
    const made = routes(`location / {
      if ($request_method = OPTIONS) { add_header Access-Control-Allow-Origin *; return 204; }
      if ($http_x_key != secret) { return 401; }
      if ($http_user_agent ~* (bot|spider)) { return 403; }
      proxy_pass http://u; }`)
    assert.deepEqual(
      made.slice(0, 5).map(({ method, headers, respond }) => ({ method, headers, respond })),
      [
        { method: 'OPTIONS', headers: undefined, respond: 204 },
        { method: undefined, headers: { 'x-key': { present: false } }, respond: 401 },
        { method: undefined, headers: { 'x-key': { regex: '^(?!secret$)' } }, respond: 401 },
        {
          method: undefined,
          headers: { 'user-agent': { regex: '([bB][oO][tT]|[sS][pP][iI][dD][eE][rR])' } },
          respond: 403,
        },
        { method: undefined, headers: undefined, respond: undefined },
      ],
    )
    assert.deepEqual(made[0]!['responseHeaders'], { add: { 'access-control-allow-origin': '*' } })
  })

  test('one that cannot be carried over says what that means', () => {
    assert.match(
      imported(wrapped('location / { if ($bad) { return 403; } proxy_pass http://u; }')).notes,
      /what it refuses gets in/,
    )
    assert.match(
      imported(wrapped('location / { if ($odd) { proxy_pass http://u; } proxy_pass http://u; }')).notes,
      /as if it did not hold/,
    )
  })
})

describe('who may come in', () => {
  const guarded: readonly (readonly [string, string])[] = [
    ['a password', 'auth_basic x; location / { proxy_pass http://u; }'],
    ['another service', 'location / { auth_request /auth; proxy_pass http://u; }'],
    ['addresses', 'location / { allow 10.0.0.0/8; deny all; proxy_pass http://u; }'],
    ['methods', 'location / { limit_except GET { deny all; } proxy_pass http://u; }'],
  ]
  for (const [name, body] of guarded) {
    test(`${name}: requests get 403 until somebody decides otherwise, and the route stands behind`, () => {
      const made = routes(body)
      assert.deepEqual(
        made.slice(0, 2).map(({ respond, to }) => respond ?? to),
        [403, 'u'],
      )
      assert.match(imported(wrapped(body)).notes, /requests get 403/)
    })
  }

  test('auth_basic off opens a location again', () => {
    const made = routes('auth_basic x; location / { auth_basic off; proxy_pass http://u; }')
    assert.equal(made[0]!['to'], 'u')
  })

  test('deny all is what it is, and refuses what nginx refuses: with more letters too', () => {
    const { config, notes } = imported(wrapped('location /hidden { deny all; } location / { proxy_pass http://u; }'))
    assert.deepEqual(config.listeners[0]!.routes[0], {
      host: ['a.example', 'b.example'],
      path: { regex: '^/hidden' },
      respond: 403,
    })
    assert.equal(notes, '')
  })

  test('an internal location answers nobody', () => {
    const [first] = routes(
      'location /inner/ { internal; proxy_pass http://u; } location / { proxy_pass http://u; }',
    ).filter(({ redirect }) => redirect === undefined)
    assert.deepEqual([first!['path'], first!['respond']], ['/inner/', 404])
  })
})

describe('where requests go', () => {
  test('try_files with a named location: no files, so all goes there', () => {
    const { config, notes } = imported(
      wrapped(
        'root /srv; location / { try_files $uri @app; } location @app { proxy_pass http://u; client_max_body_size 4G; }',
      ),
    )
    const [first] = config.listeners[0]!.routes
    assert.deepEqual([first!['to'], first!['requestBodyMax']], ['u', '4GiB'])
    assert.match(notes, /try_files \$uri @app: no files are served here: all goes to @app/)
  })

  test('variables that set gives one value', () => {
    const { config } = imported(
      wrapped(`set $proto http; location / { set $app shop; set $port 3000; proxy_pass $proto://$app:$port; }
        location ~ ^/f/(.*)$ { set $app files; proxy_pass http://$app:80/$1$is_args$args; }
        location /raw/ { proxy_pass http://u$request_uri; }`),
    )
    assert.deepEqual(
      config.listeners[0]!.routes.flatMap(({ to, rewrite }) => (to === undefined ? [] : [[to, rewrite]])),
      [
        ['files', { path: '/$1' }],
        ['u', undefined],
        ['shop', undefined],
      ],
    )
    assert.deepEqual(config.upstreams!['shop'], { dns: 'shop:3000' })
  })

  test('a variable that a condition sets is none', () => {
    const text = wrapped('set $b u; if ($http_x) { set $b v; } location / { proxy_pass http://$b; }')
    assert.match(imported(text).notes, /which server \$b is cannot be known here/)
  })

  test('a prefix that is cut, anchored or not', () => {
    for (const rewrite of ['/app(.*) $1', '^/app(.*)$ $1', '^/app/(.*) /$1', '^/app/?(.*)$ /$1'])
      assert.deepEqual(routes(`location ^~ /app/ { rewrite ${rewrite} break; proxy_pass http://u; }`)[1]!['rewrite'], {
        path: '/',
      })
  })

  test('a rewrite of some paths is a route in front of the others', () => {
    const made = routes('location /a/ { rewrite ^/a/(.*)/x$ /y/$1 break; proxy_pass http://u; }').slice(1, 3)
    assert.deepEqual(
      made.map(({ path, rewrite }) => [path, rewrite]),
      [
        [{ regex: '^/a/(.*)/x$' }, { path: '/y/$1' }],
        ['/a/', undefined],
      ],
    )
  })

  test('rewrites that redirect keep their groups and the query', () => {
    const made = routes('rewrite ^/old/(.*)$ /new/$1 permanent; rewrite ^(.*)$ https://$host$1 redirect;')
    assert.deepEqual(
      made.slice(0, 2).map(({ path, redirect }) => [path, redirect]),
      [
        [{ regex: '^/old/(.*)$' }, { location: '/new/$1$is_args$args', status: 301 }],
        [undefined, 'https://$host$request_uri'],
      ],
    )
  })

  test('names that end in * and expressions, after all others', () => {
    const made =
      imported(`server { listen 80; server_name ~^w\\d+\\.example$; return 201; } server { listen 80; server_name app.*; return 202; }
      server { listen 80; server_name *.example; return 203; }`).config.listeners[0]!.routes
    assert.deepEqual(
      made.map(({ host, headers, respond }) => [host ?? headers, respond]),
      [
        ['*.example', 203],
        [{ host: { regex: '^[aA][pP][pP]\\.' } }, 202],
        [{ host: { regex: '^[wW]\\d+\\.[eE][xX][aA][mM][pP][lL][eE](?::\\d+)?$' } }, 201],
        [undefined, 201],
      ],
    )
  })
})

describe('listeners', () => {
  const tls = 'ssl_certificate c.pem; ssl_certificate_key k.pem;'

  test('ssl on and http2 on are listen’s ssl and http2', () => {
    const { listeners } = imported(`server { listen 443; ssl on; http2 on; ${tls} return 200; }`).config
    assert.deepEqual([listeners[0]!['tls'], listeners[0]!['http2']], [{ cert: 'c.pem', key: 'k.pem' }, undefined])
  })

  test('who is believed is told where it is not who nginx believes', () => {
    const { config, notes } = imported(
      'set_real_ip_from 10.0.0.0/8; real_ip_header CF-Connecting-IP; server { listen 80; return 200; }',
    )
    assert.deepEqual(config.listeners[0]!['trustedProxies'], ['10.0.0.0/8'])
    assert.match(notes, /real_ip_header CF-Connecting-IP: the client is who X-Forwarded-For says/)
    const believing = wrapped(
      'location / { proxy_pass http://u; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }',
    )
    assert.match(imported(believing).notes, /name proxies in front of this one in trustedProxies/)
  })

  test('they have the names one would give them, and equal ones are written once', () => {
    const { yaml, config } = imported(
      `upstream u { server 127.0.0.1:1; } server { listen 127.0.0.1:80; listen 127.0.0.1:81; listen 443 ssl; ${tls}
        location / { proxy_pass http://u; } location /a/ { proxy_pass http://u; } }`,
    )
    assert.deepEqual(
      config.listeners.map(({ name }) => name),
      ['http', 'http-81', 'https'],
    )
    assert.match(yaml, /routes: &routes\n[\s\S]*routes: \*routes\n/)
  })
})

describe('upstreams', () => {
  test('those that nothing uses are left out', () => {
    const { config, notes } = imported(
      'upstream php { server unix:/x; } upstream u { server 127.0.0.1:1; } server { location / { proxy_pass http://u; } }',
    )
    assert.deepEqual(Object.keys(config.upstreams!), ['u'])
    assert.match(notes, /upstream php: nothing that is carried over uses it/)
    assert.doesNotMatch(notes, /unix/)
  })

  test('a server that is alone is never out, and fail_timeout=0 ejects none', () => {
    const of = (servers: string): Record<string, unknown> =>
      imported(`upstream u { ${servers} } server { location / { proxy_pass http://u; } }`).config.upstreams![
        'u'
      ] as Record<string, unknown>
    assert.equal(of('server 127.0.0.1:1 max_fails=3;')['outlier'], undefined)
    assert.equal(of('server 127.0.0.1:1 fail_timeout=0; server 127.0.0.1:2 fail_timeout=0;')['outlier'], 'off')
  })

  test('settings of the only use do not change the name', () => {
    const { config } = imported(wrapped('proxy_connect_timeout 5s; location / { proxy_pass http://u; }'))
    assert.deepEqual(config.upstreams, { u: { endpoints: ['127.0.0.1:1'], connectTimeout: '5s' } })
    assert.equal(config.listeners[0]!.routes[0]!['to'], 'u')
  })
})

describe('includes that cannot be read', () => {
  const read = (path: string): string => {
    if (path === '/n/nginx.conf') return 'include mime.types; server { listen 80; include ssl.conf; return 200; }'
    throw new Error('no such file')
  }

  test('are problems with a cure, but for those that come with nginx', () => {
    const result = importNginx('/n/nginx.conf', { read, list: () => [] })
    assert.ok(!result.ok)
    assert.equal(result.problems.length, 1)
    assert.match(result.problems[0]!.message, /cannot read \/n\/ssl\.conf: .*--skip-missing/)
  })

  test('are told, when they are left out', () => {
    const result = importNginx('/n/nginx.conf', { read, list: () => [] }, { skipMissing: true })
    assert.ok(result.ok)
    assert.match(result.notes[0]!.why, /cannot be read/)
  })

  test('a file of locations alone says what it is', () => {
    const result = importNginx('/n/nginx.conf', { read: () => 'location / { return 200; }', list: () => [] })
    assert.ok(!result.ok)
    assert.match(result.problems[0]!.message, /import the one that includes it/)
  })
})

test('like notes are told together', () => {
  const { notes } = imported('gzip on; server { listen 80;\n gzip on; location / { return 200; } }')
  assert.equal(notes, 'nginx.conf:1 gzip on: bodies are not compressed here: let the service do it (also 2)')
})

describe('proxy_redirect', () => {
  const rewritten = (body: string): unknown => routes(body).find(({ to }) => to !== undefined)?.['rewriteLocation']

  test('its default is the address passed to, and the location', () => {
    assert.deepEqual(rewritten('location / { proxy_pass http://u; }'), { 'http://u/': '/' })
    assert.deepEqual(rewritten('location /a/ { proxy_pass https://h:8/b/; }'), { 'https://h:8/b/': '/a/' })
    assert.deepEqual(rewritten('location = /a { proxy_pass http://u/b; proxy_redirect default; }'), {
      'http://u/b': '/a',
    })
    assert.equal(rewritten('location / { set $up http://u; proxy_pass $up; }'), undefined)
    assert.equal(rewritten('location / { grpc_pass u; }'), undefined)
  })

  test('what is written takes its place, of the innermost block that says anything', () => {
    const own = 'proxy_redirect http://a/ /b/; proxy_redirect http://$proxy_host:$proxy_port/ $scheme://$host/;'
    assert.deepEqual(rewritten(`${own} location / { proxy_pass http://u; }`), {
      'http://a/': '/b/',
      'http://u:80/': '$scheme://$host/',
    })
    assert.equal(rewritten(`${own} location / { proxy_pass http://u; proxy_redirect off; }`), undefined)
  })

  test('expressions are told', () => {
    const { notes } = imported(wrapped('location / { proxy_pass http://u; proxy_redirect ~^http://[^/]+(/.*)$ $1; }'))
    assert.match(
      notes,
      /proxy_redirect ~.*: Location goes on as the upstream sends it: rewriteLocation compares beginnings/,
    )
  })
})

describe('map', () => {
  const targets = (map: string, body: string): unknown =>
    imported(
      `${map} upstream a { server 127.0.0.1:1; } upstream b { server 127.0.0.1:2; } server { listen 80; ${body} }`,
    ).config.listeners[0]!.routes.map(({ host, method, to, respond }) => ({ host, method, to: to ?? respond }))

  test('of hosts and methods becomes routes', () => {
    const body = 'location / { proxy_pass http://$to; }'
    assert.deepEqual(
      targets('map $host $to { hostnames; *.example b; .deep.example a; x.example b; default a; }', body),
      [
        { host: 'x.example', method: undefined, to: 'b' },
        { host: ['deep.example', '*.deep.example'], method: undefined, to: 'a' },
        { host: '*.example', method: undefined, to: 'b' },
        { host: undefined, method: undefined, to: 'a' },
      ],
    )
    assert.deepEqual(targets('map $request_method $to { POST b; default a; }', body), [
      { host: undefined, method: 'POST', to: 'b' },
      { host: undefined, method: undefined, to: 'a' },
    ])
  })

  test('that cannot be expressed is told, and answered with 404', () => {
    const body = 'location / { proxy_pass http://$to; }'
    const refused = [{ host: undefined, method: undefined, to: 404 }]
    for (const map of [
      'map $cookie_group $to { b b; default a; }',
      'map $http_x $to { b b; }',
      'map $http_x $to { b b/path; default a; }',
      'map $http_x $to { b $other; default a; }',
      'map $http_x $to { ~(?>b) b; default a; }',
    ]) {
      assert.deepEqual(targets(map, body), refused, map)
    }
  })

  test('leaves Location alone, as nginx does', () => {
    const { yaml } = imported(
      'map $http_x $to { b u; default u; } upstream u { server 127.0.0.1:1; } server { listen 80; location / { proxy_pass http://$to; } }',
    )
    assert.doesNotMatch(yaml, /rewriteLocation/)
  })
})
