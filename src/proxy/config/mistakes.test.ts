// Configurations as someone types them who has not read the page: each message names the line, what is wrong, and what to do.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatProblem, parseProxyConfig } from './index.ts'

interface Mistake {
  readonly what: string
  readonly text: string
  /** Each stands in one of the first four problems. */
  readonly told: readonly string[]
}

const app = "upstreams: {app: {endpoints: ['127.0.0.1:9000']}}"
const mistakes: readonly Mistake[] = [
  {
    what: 'a key indented otherwise than its neighbours',
    text: [
      'listeners:',
      '  - name: web',
      '    address: 127.0.0.1:8080',
      '   routes:',
      '      - to: app',
      'upstreams:',
      '  app:',
      "    endpoints: ['127.0.0.1:9000']",
    ].join('\n'),
    told: ['f:4:1 is not YAML: Sequence item without - indicator'],
  },
  {
    what: 'a key one step too far out',
    text: [
      'listeners:',
      '  - name: web',
      '    address: 127.0.0.1:8080',
      '    routes:',
      '    - path: /',
      '    to: app',
      'upstreams:',
      '  app:',
      "    endpoints: ['127.0.0.1:9000']",
    ].join('\n'),
    told: ['f:6:9 listeners[0].to:', 'that of a route stands below the route, further in'],
  },
  {
    what: 'tabs',
    text: ['listeners:', '\t- name: web', '\t  address: 127.0.0.1:8080'].join('\n'),
    told: ['f:2:1 is not YAML: Tabs are not allowed as indentation; use spaces'],
  },
  {
    what: 'a unit that is none',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      '        timeouts: {attempt: 5sec}',
      app,
    ].join('\n'),
    told: ['f:5:29 listeners[0].routes[0].timeouts.attempt: is "5sec": write a duration with its unit, such as 250ms'],
  },
  {
    what: 'a size in words',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      '        requestBodyMax: 10 megabytes',
      app,
    ].join('\n'),
    told: ['f:5:25 listeners[0].routes[0].requestBodyMax: is "10 megabytes": write a size in bytes or with its unit'],
  },
  {
    what: 'a key in the singular',
    text: ['listener:', '  - address: 127.0.0.1:8080', '    routes:', '      - to: app', app].join('\n'),
    told: ['f:1:1 listener: is not known here; did you mean listeners?'],
  },
  {
    what: 'nginx’s words',
    text: [
      'listeners:',
      '  - listen: 8080',
      '    server_name: x',
      '    locations:',
      '      - to: app',
      "upstreams: {app: {servers: ['127.0.0.1:9000']}}",
    ].join('\n'),
    told: [
      'f:2:5 listeners[0].listen: is not known here; did you mean address?',
      'f:3:5 listeners[0].server_name: is not known here; the keys here are name, address,',
      'f:4:5 listeners[0].locations: is not known here; did you mean routes?',
    ],
  },
  {
    what: 'quotes around a part',
    text: ['listeners:', '  - address: 127.0.0.1:"8080"', '    routes:', '      - to: app', app].join('\n'),
    told: ['f:2:14 listeners[0].address:', 'write host and port, such as 127.0.0.1:8080'],
  },
  {
    what: 'a port by name',
    text: ['listeners:', '  - address: 127.0.0.1:http', '    routes:', '      - to: app', app].join('\n'),
    told: ['f:2:14 listeners[0].address: is "127.0.0.1:http": write host and port'],
  },
  {
    what: 'host and port apart',
    text: ['listeners:', '  - host: 127.0.0.1', '    port: "8080"', '    routes:', '      - to: app', app].join('\n'),
    told: ['f:3:5 listeners[0].port: is not known here; did you mean address?'],
  },
  {
    what: 'no port',
    text: ['listeners:', '  - address: 127.0.0.1', '    routes:', '      - to: app', app].join('\n'),
    told: ['f:2:14 listeners[0].address: is "127.0.0.1": write host and port'],
  },
  {
    what: 'a port that is none',
    text: ["listeners: [{address: '127.0.0.1:99999', routes: [{respond: 200}]}]"].join('\n'),
    told: ['f:1:23 listeners[0].address: is "127.0.0.1:99999": the port must be from 0 to 65535'],
  },
  {
    what: 'a URL as an endpoint',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      "upstreams: {app: {endpoints: ['http://127.0.0.1:9000']}}",
    ].join('\n'),
    told: [
      'f:5:31 upstreams.app.endpoints[0]: is "http://127.0.0.1:9000": write host and port alone',
      'without http://',
    ],
  },
  {
    what: 'a URL as an upstream',
    text: ['listeners:', '  - address: 127.0.0.1:8080', '    routes:', '      - to: http://127.0.0.1:9000', ''].join(
      '\n',
    ),
    told: [
      'f:4:13 listeners[0].routes[0].to:',
      'must be the name of an upstream: put the address there, as in upstreams:',
    ],
  },
  {
    what: 'an upstream that is not there',
    text: ['listeners:', '  - address: 127.0.0.1:8080', '    routes:', '      - to: ap', app].join('\n'),
    told: ['f:4:13 listeners[0].routes[0].to: there is no upstream "ap": add it under upstreams, where app is'],
  },
  {
    what: 'no upstreams',
    text: ['listeners:', '  - address: 127.0.0.1:8080', '    routes:', '      - to: app'].join('\n'),
    told: ['f:4:13 listeners[0].routes[0].to: there is no upstream "app": add it under upstreams'],
  },
  {
    what: 'a key twice',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      '        path: /a',
      '        path: /b',
      app,
    ].join('\n'),
    told: ['f:6:9 listeners[0].routes[0].path: stands here a second time: keep one of the two'],
  },
  {
    what: 'an item without its dash',
    text: ['listeners:', '  address: 127.0.0.1:8080', '  routes:', '    - to: app', app].join('\n'),
    told: ['f:2:3 listeners: must be a list: put "- " before each item'],
  },
  {
    what: 'a list with names for a map',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      'upstreams:',
      '  - name: app',
      "    endpoints: ['127.0.0.1:9000']",
    ].join('\n'),
    told: ['f:6:3 upstreams: is a list, and must be a map from name to Upstream: write each name with a colon'],
  },
  {
    what: 'a colon without its space',
    text: ['listeners:', '  - address:127.0.0.1:8080', '    routes:', '      - to: app', app].join('\n'),
    told: ['f:2:5 is not YAML:', 'is the space after a colon missing'],
  },
  {
    what: 'a quote that does not end',
    text: ['listeners:', "  - address: '127.0.0.1:8080", '    routes:', '      - to: app', app].join('\n'),
    told: ['f:2:29 is not YAML: Missing closing'],
  },
  {
    what: 'a * without quotes',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - host: *.example.com',
      '        to: app',
      app,
    ].join('\n'),
    told: ['f:4:15 begins with *, which is an alias in YAML', "put it in quotes: '*.example.com'"],
  },
  {
    what: 'shares in percent',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: {app: 95%, other: 5%}',
      "upstreams: {app: {endpoints: ['127.0.0.1:9000']}, other: {endpoints: ['127.0.0.1:9001']}}",
    ].join('\n'),
    told: ['f:4:19 listeners[0].routes[0].to.app: is "95%": must be a whole number'],
  },
  {
    what: 'a path without its slash',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - path: api',
      '        to: app',
      app,
    ].join('\n'),
    told: ['f:4:15 listeners[0].routes[0].path: is "api": must begin with "/"'],
  },
  {
    what: 'YAML 1.1’s yes',
    text: ['listeners:', '  - address: 127.0.0.1:8080', '    http2: yes', '    routes:', '      - to: app', app].join(
      '\n',
    ),
    told: ['f:3:12 listeners[0].http2: is "yes": must be true or false'],
  },
  {
    what: 'nginx’s name of a policy',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      "upstreams: {app: {endpoints: ['127.0.0.1:9000'], balance: least_conn}}",
    ].join('\n'),
    told: ['f:5:59 upstreams.app.balance: is "least_conn"', 'did you mean least-connections?'],
  },
  {
    what: 'an address in the place of an upstream',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8080',
      '    routes:',
      '      - to: app',
      "upstreams: {app: '127.0.0.1:9000'}",
    ].join('\n'),
    told: ['f:5:18 upstreams.app: must be a map with the keys of Upstream: endpoints, dns'],
  },
  {
    what: 'no listeners',
    text: [app].join('\n'),
    told: ['f:1:1 lacks listeners'],
  },
  {
    what: 'nothing written',
    text: ['listeners:', 'upstreams:'].join('\n'),
    told: ['f:1:1 listeners: has no value: give it one, or leave the key out'],
  },
  {
    what: 'JSON with a comma too many',
    text: ['{"listeners": [{"address": "127.0.0.1:8080", "routes": [{"to": "app"},]}]'].join('\n'),
    told: ['f:1:74 is not YAML: Flow map must end with a }'],
  },
  {
    what: 'two methods in one text',
    text: ['listeners:', '  - address: 127.0.0.1:8080', '    routes:', '      - {to: app, method: get post}', app].join(
      '\n',
    ),
    told: ['f:4:27 listeners[0].routes[0].method: is "get post": must be an HTTP method, such as GET'],
  },
  {
    what: 'true in the place of settings',
    text: ['listeners:', '  - address: 127.0.0.1:8443', '    tls: true', '    routes:', '      - {to: app}', app].join(
      '\n',
    ),
    told: ['f:3:10 listeners[0].tls: must be a map with the keys of Tls: cert, key'],
  },
  {
    what: 'a check without its kind',
    text: [
      'listeners:',
      '  - address: 127.0.0.1:8443',
      '    routes:',
      '      - {to: app}',
      "upstreams: {app: {endpoints: ['127.0.0.1:9000'], check: {path: /health, interval: 5}}}",
    ].join('\n'),
    told: [
      'f:5:58 upstreams.app.check.path: is not known here; the keys here are tcp, http, grpc',
      'f:5:83 upstreams.app.check.interval: is "5": write a duration with its unit',
    ],
  },
  {
    what: 'a file of nginx',
    text: ['server {', '  listen 80;', '  location / { proxy_pass http://app; }', '}'].join('\n'),
    told: ['f:1:1 this looks like nginx’s configuration: synod proxy import nginx FILE'],
  },
  {
    what: 'a host without its scheme',
    text: ["listeners: [{address: ':1', routes: [{redirect: www.example.com}]}]"].join('\n'),
    told: ['f:1:49 listeners[0].routes[0].redirect: is "www.example.com": must begin with http://'],
  },
  {
    what: 'capitals',
    text: ["Listeners: [{address: ':1', Routes: [{respond: 200}]}]"].join('\n'),
    told: ['f:1:1 Listeners: is not known here; did you mean listeners?'],
  },
]

describe('a beginner’s mistakes', () => {
  for (const { what, text, told } of mistakes) {
    test(what, () => {
      const parsed = parseProxyConfig(text, { file: 'f' })
      assert.ok(!parsed.ok)
      const lines = parsed.problems.map((problem) => formatProblem('f', problem))
      for (const wanted of told)
        assert.ok(
          lines.slice(0, 4).some((line) => line.includes(wanted)),
          lines.join('\n'),
        )
    })
  }

  test('a wildcard in a path is told as a warning', () => {
    const parsed = parseProxyConfig(`listeners: [{address: ':1', routes: [{path: /api/*, to: app}]}]\n${app}`, {
      file: 'f',
    })
    assert.ok(parsed.ok)
    assert.match(
      parsed.warnings.map((each) => formatProblem('f', each)).join(),
      /f:1:45 .*path: has a \*, which is no wildcard here/,
    )
  })
})
