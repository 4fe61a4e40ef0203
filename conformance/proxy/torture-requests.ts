// Requests that two readers could take differently, and what becomes of each. A path is put in for `@` (and `@` for
// `(at)`), so
// that each case is known by its own.

export interface TortureCase {
  readonly name: string
  /** Of RFC 9112 unless it says otherwise. */
  readonly rfc: string
  /** In these packets. */
  readonly send: string | readonly string[]
  /** The final statuses, in order. */
  readonly statuses: readonly number[]
  /** Requests that must reach the server, each once; their bodies. */
  readonly reach?: readonly string[]
  /** The refusal is an answer to a request that was understood: the connection may live on. */
  readonly staysOpen?: boolean
  /** The head is well and goes on at once; the server must never see the request's end. */
  readonly isCut?: boolean
  /** Our half is closed once all is sent. */
  readonly ends?: boolean
  /** A further test of what the server saw. */
  readonly seen?: RegExp
  readonly unseen?: RegExp
}

const host = 'Host: shop.example\r\n'
const post = `POST @ HTTP/1.1\r\n${host}`
const get = `GET @ HTTP/1.1\r\n${host}`
const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: shop.example\r\n\r\n'

const bad = (name: string, rfc: string, send: string | readonly string[], status = 400): TortureCase => ({
  name,
  rfc,
  send,
  statuses: [status],
})
const cut = (name: string, rfc: string, send: string | readonly string[], status = 400): TortureCase => ({
  name,
  rfc,
  send,
  statuses: [status],
  isCut: true,
})
const good = (
  name: string,
  rfc: string,
  send: string | readonly string[],
  reach: readonly string[],
  more: Partial<TortureCase> = {},
): TortureCase => ({ name, rfc, send, statuses: reach.map(() => 200), reach, ...more })

const coding = (field: string, status = 400): TortureCase =>
  bad(
    `coding: ${JSON.stringify(field)}`,
    '§6.1',
    `${post}Content-Length: 4\r\n${field}\r\n\r\n0\r\n\r\n${smuggled}`,
    status,
  )
const codingAlone = (value: string, status = 400): TortureCase =>
  bad(
    `coding alone: ${JSON.stringify(value)}`,
    '§6.1',
    `${post}Transfer-Encoding:${value}\r\n\r\n0\r\n\r\n${smuggled}`,
    status,
  )
const length = (value: string): TortureCase =>
  bad(`length: ${JSON.stringify(value)}`, '§6.3', `${post}Content-Length:${value}\r\n\r\nhello${smuggled}`)
const field = (text: string, rfc: string, status = 400): TortureCase =>
  bad(`field: ${JSON.stringify(text.slice(0, 60))}`, rfc, `${get}${text}\r\n\r\n`, status)
const line = (text: string, rfc: string, status = 400): TortureCase =>
  bad(`line: ${JSON.stringify(text.slice(0, 60))}`, rfc, `${text}\r\n${host}\r\n`, status)
const chunks = (text: string, rfc: string, status = 400): TortureCase =>
  cut(`chunks: ${JSON.stringify(text.slice(0, 60))}`, rfc, `${post}Transfer-Encoding: chunked\r\n\r\n${text}`, status)
const path = (text: string, status = 400): TortureCase => ({
  ...bad(`path: ${text}`, 'RFC 3986 §5.2.4', `GET @${text} HTTP/1.1\r\n${host}\r\n`, status),
  staysOpen: true,
})

const framings: readonly TortureCase[] = [
  bad('CL.TE', '§6.1', `${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`),
  bad(
    'TE.CL',
    '§6.1',
    `${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n`,
  ),
  bad(
    'CL.0: a length and a coding of 0 octets',
    '§6.1',
    `${post}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ),
  coding('Transfer-Encoding: xchunked'),
  coding('Transfer-Encoding : chunked'),
  coding(' Transfer-Encoding: chunked'),
  coding('X: y\r\n\tTransfer-Encoding: chunked'),
  coding('Transfer-Encoding:\x0bchunked'),
  coding('Transfer-Encoding: \x00chunked'),
  coding('Transfer-Encoding: chunked\x00'),
  coding('Transfer-Encoding:\n chunked'),
  coding('Transfer-Encoding:\r\n chunked'),
  coding('X: x\nTransfer-Encoding: chunked'),
  coding('X: x\rTransfer-Encoding: chunked'),
  coding('Transfer-Encoding'),
  coding('Transfer-Encoding\t: chunked'),
  coding('Transfer\x00-Encoding: chunked'),
  coding('Transfer-Encoding\xa0: chunked'),
  coding('\x00Transfer-Encoding: chunked'),
  coding('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity'),
  codingAlone(' chunked\r\nTransfer-Encoding: chunked'),
  codingAlone(' chunked\r\nTransfer-Encoding: identity'),
  codingAlone(' identity\r\nTransfer-Encoding: chunked', 501),
  codingAlone(' chunked, chunked'),
  codingAlone(' chunked, identity'),
  codingAlone(' identity'),
  codingAlone(' "chunked"'),
  codingAlone(' chunked;q=1'),
  codingAlone(' chunk'),
  codingAlone(' ,'),
  codingAlone(''),
  codingAlone(' gzip, chunked', 501),
  codingAlone(' chunked, gzip'),
  codingAlone('\xa0chunked', 501),
  length(' +5'),
  length(' -5'),
  length(' 5,5'),
  length(' 5, 6'),
  length(' 5 5'),
  length(' 0x5'),
  length(' 5.0'),
  length(' 5e0'),
  length(' 5;'),
  length(' "5"'),
  length(''),
  length(' \xb5'),
  length(' 18446744073709551621'),
  length(' 9007199254740993'),
  length(' 5\r\nContent-Length: 5'),
  length(' 5\r\nContent-Length: 6'),
  length(' 0\r\nContent-Length: 5'),
  length('\x0c5'),
  bad('length with a space before the colon', '§5.1', `${post}Content-Length : 5\r\n\r\nhello`),
  bad('length folded', '§5.2', `${post}Content-Length:\r\n 5\r\n\r\nhello`),
  bad('coding in HTTP/1.0', '§6.1', `POST @ HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`),
]

const chunkings: readonly TortureCase[] = [
  chunks('0x5\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks(' 5\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('5 \r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('+5\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('-5\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('5_0\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('g\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('10000000000000005\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('0000000000005\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('5\nhello\r\n0\r\n\r\n', '§2.2'),
  chunks('5\rhello\r\n0\r\n\r\n', '§2.2'),
  chunks('5;\nhello\r\n0\r\n\r\n', '§7.1.1'),
  chunks('5;x\rhello\r\n0\r\n\r\n', '§7.1.1'),
  chunks('5;x=\x00\r\nhello\r\n0\r\n\r\n', '§7.1.1'),
  chunks(`5;${'x'.repeat(20_000)}\r\nhello\r\n0\r\n\r\n`, '§7.1.1'),
  chunks('5\r\nhello0\r\n\r\n', '§7.1'),
  chunks('5\r\nhello\n0\r\n\r\n', '§7.1'),
  chunks('5\r\nhello\r0\r\n\r\n', '§7.1'),
  chunks('4\r\nhello\r\n0\r\n\r\n', '§7.1'),
  chunks('5\r\nhello\r\n0\n\r\n', '§7.1'),
  chunks('5\r\nhello\r\n0\r\n\n', '§7.1.2'),
  chunks('0\r\nContent-Length: 5\r\n\r\nhello', '§7.1.2'),
  chunks('0\r\nTransfer-Encoding: chunked\r\n\r\n', '§7.1.2'),
  chunks('0\r\nHost: evil.example\r\n\r\n', '§7.1.2'),
  chunks('0\r\nAuthorization: x\r\n\r\n', 'RFC 9110 §6.5.1'),
  chunks('0\r\nX: y\n\r\n', '§2.2'),
  chunks('0\r\nX: y\r\n z\r\n\r\n', '§5.2'),
  chunks('0\r\nX : y\r\n\r\n', '§5.1'),
  chunks('0\r\nX: \x00\r\n\r\n', 'RFC 9110 §5.5'),
  chunks(`0\r\nX: ${'y'.repeat(9_000)}\r\n\r\n`, '§7.1.2', 431),
  chunks(`0\r\n${'X: y\r\n'.repeat(70)}\r\n`, '§7.1.2', 431),
  cut('a bad chunk in a later packet', '§7.1', [
    `${post}Transfer-Encoding: chunked\r\n\r\n`,
    '5\r\nhello\r\n',
    'zz\r\n',
  ]),
  {
    ...cut('an end within a body of known length', '§8', `${post}Content-Length: 50\r\n\r\nhello`),
    statuses: [],
    ends: true,
  },
  {
    ...cut('an end within a chunked body', '§8', `${post}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`),
    statuses: [],
    ends: true,
  },
]

const heads: readonly TortureCase[] = [
  field('X: a\r\n b', '§5.2'),
  field('X: a\r\n\tb', '§5.2'),
  field('X: a\nY: b', '§2.2'),
  field('X: a\rb', '§2.2'),
  field('X: a\x00b', 'RFC 9110 §5.5'),
  field('X: a\x7fb', 'RFC 9110 §5.5'),
  field('X: a\x1bb', 'RFC 9110 §5.5'),
  field('X : a', '§5.1'),
  field('X\t: a', '§5.1'),
  field('X Y: a', '§5.1'),
  field(': a', '§5.1'),
  field('X', '§5.1'),
  field('X(y): a', '§5.1'),
  field('X\x00: a', '§5.1'),
  field('X\xe9: a', '§5.1'),
  field('"X": a', '§5.1'),
  field('Host: other.example', '§3.2'),
  field('host: shop.example', '§3.2'),
  field('Connection: keep alive', 'RFC 9110 §7.6.1'),
  field('Connection: "close"', 'RFC 9110 §7.6.1'),
  field('Expect: 200-maybe', 'RFC 9110 §10.1.1', 417),
  field('Expect: 100-continue, x', 'RFC 9110 §10.1.1', 417),
  field('Upgrade: a\r\nUpgrade: b', 'RFC 9110 §7.8'),
  field('X: y\r\n'.repeat(200).slice(0, -2), '§5', 431),
  field(`X: ${'y'.repeat(40_000)}`, '§5', 431),
  field(`${'x'.repeat(40_000)}: y`, '§5', 431),
  bad('bare LF at every end', '§2.2', 'GET @ HTTP/1.1\nHost: shop.example\n\n'),
  bad('bare LF after the line', '§2.2', 'GET @ HTTP/1.1\nHost: shop.example\r\n\r\n'),
  bad('bare LF as the empty line', '§2.2', `${get}\n`),
  bad('a head in single octets with a bare LF', '§2.2', [...'GET @ HTTP/1.1\r\nHost: a\nX: y']),
  bad('LF first', '§2.2', `\n${get}\r\n`),
  bad('two empty lines first', '§2.2', `\r\n\r\n${get}\r\n`),
  bad('a space first', '§3', ` ${get}\r\n`),
  bad('a field before the host, folded', '§2.2', `GET @ HTTP/1.1\r\n Host: evil.example\r\n${host}\r\n`),
  bad('no host', '§3.2', 'GET @ HTTP/1.1\r\nX: y\r\n\r\n'),
  ...[
    '',
    ' ',
    ' a b',
    ' a/b',
    ' user(at)shop.example',
    ' shop.example:x',
    ' shop.example:99999',
    ' [::1',
    ' a\\b',
    ' a?b',
    ' a#b',
    ' a"b',
    ' %73hop.example',
    ' shop%2eexample',
  ].map((value) => bad(`host: ${JSON.stringify(value)}`, 'RFC 9110 §7.2', `GET @ HTTP/1.1\r\nHost:${value}\r\n\r\n`)),
  line('GET @', '§3 (HTTP/0.9)'),
  { ...bad('HTTP/0.9, and the end', '§3 (HTTP/0.9)', 'GET @\r\n'), ends: true },
  line('GET @ HTTP/1.1 ', '§3'),
  line('GET  @ HTTP/1.1', '§3'),
  line('GET @  HTTP/1.1', '§3'),
  line('GET\t@\tHTTP/1.1', '§3'),
  line('GET @ x HTTP/1.1', '§3.2'),
  line('GET @\x00 HTTP/1.1', '§3.2'),
  line('GET @# HTTP/1.1', '§3.2'),
  line('GET @\xff HTTP/1.1', '§3.2'),
  line('GET @" HTTP/1.1', '§3.2'),
  line('GET @<x> HTTP/1.1', '§3.2'),
  line('GET @% HTTP/1.1', '§3.2'),
  line('GET @%zz HTTP/1.1', '§3.2'),
  line('GET x@ HTTP/1.1', '§3.2'),
  line('GET ?@ HTTP/1.1', '§3.2'),
  line('GET * HTTP/1.1', '§3.2.4'),
  line('GET http:// HTTP/1.1', '§3.2.2'),
  line('GET http:///@ HTTP/1.1', '§3.2.2'),
  line('GET http://user:x(at)shop.example@ HTTP/1.1', 'RFC 9110 §4.2.4'),
  line('GET ftp://shop.example@ HTTP/1.1', '§3.2.2'),
  line('GET http://shop.example:0x50@ HTTP/1.1', '§3.2.2'),
  line('CONNECT shop.example:80 HTTP/1.1', '§3.2.3', 501),
  line('GET @ http/1.1', '§2.3'),
  line('GET @ HTTP/1.10', '§2.3'),
  line('GET @ HTTP/01.1', '§2.3'),
  line('GET @ HTTP/1,1', '§2.3'),
  line('GET @ HTTP/1.2', '§2.3', 505),
  line('GET @ HTTP/2.0', '§2.3', 505),
  line('GET @ HTTP/3.1', '§2.3', 505),
  line('G{}T @ HTTP/1.1', '§3.1'),
  line('G\x00T @ HTTP/1.1', '§3.1'),
  line(`${'M'.repeat(40)} @ HTTP/1.1`, '§3.1'),
  line(`GET @${'x'.repeat(40_000)} HTTP/1.1`, '§3', 414),
  bad('TLS to a port without', '§3', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abc\r\n\r\n'),
  bad('the preface of HTTP/2 but for its end', 'RFC 9113 §3.4', 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 505),
  {
    name: 'the preface of HTTP/2 after a request',
    rfc: 'RFC 9113 §3.4',
    send: `${get}\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`,
    statuses: [200, 505],
    reach: [''],
  },
  { ...line('TRACE @ HTTP/1.1', 'RFC 9110 §9.3.8', 405), staysOpen: true },
]

const paths: readonly TortureCase[] = [
  path('\\x'),
  path('/..\\x'),
  path('/../../x'),
  path('/%2e%2e/%2e%2e/x'),
  path('/..%2fx'),
  path('/..%2Fx'),
  path('/..%5cx'),
  path('/%2e%2e%2fx'),
  path('/..;/x'),
  path('/x%00'),
  path('/x%0d%0aX:y'),
  path('/x%7f'),
]

const accepted: readonly TortureCase[] = [
  good('plain', '§3', `${get}\r\n`, ['']),
  good('in single octets', '§2.2', [...`${post}Content-Length: 2\r\n\r\nhi`], ['hi']),
  good('an empty line first', '§2.2', `\r\n${get}\r\n`, ['']),
  good('a length', '§6.2', `${post}Content-Length: 5\r\n\r\nhello`, ['hello']),
  good('a length with zeros in front: sent on without', '§6.2', `${post}Content-Length: 005\r\n\r\nhello`, ['hello'], {
    seen: /content-length: 5\r\n/,
  }),
  good('blanks around a length', '§5.1', `${post}Content-Length: \t5 \t\r\n\r\nhello`, ['hello']),
  good('a length of 0', '§6.2', `${post}Content-Length: 0\r\n\r\n`, ['']),
  good('chunked, in capitals', '§7', `${post}Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, ['hello']),
  good('chunked, after a tab', '§7', `${post}Transfer-Encoding:\tchunked\t\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, ['hello']),
  good(
    'chunk extensions: not sent on',
    '§7.1.1',
    `${post}Transfer-Encoding: chunked\r\n\r\n5;a=b;c="d"\r\nhello\r\n0;x\r\n\r\n`,
    ['hello'],
    {
      unseen: /;/,
    },
  ),
  good('chunks of one octet', '§7.1', `${post}Transfer-Encoding: chunked\r\n\r\n${'1\r\nx\r\n'.repeat(50)}0\r\n\r\n`, [
    'x'.repeat(50),
  ]),
  good('sizes with zeros in front', '§7.1', `${post}Transfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n000\r\n\r\n`, [
    'hello',
  ]),
  good('a trailer', '§7.1.2', `${post}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n`, [''], {
    seen: /x-sum: 1\r\n/,
  }),
  good(
    'trailers that name the client: not sent on',
    'RFC 9110 §6.5.1',
    `${post}Transfer-Encoding: chunked\r\n\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nX-Real-User: root\r\nX-Sum: 1\r\n\r\n`,
    [''],
    { seen: /x-sum: 1\r\n/, unseen: /6\.6\.6\.6|root/ },
  ),
  good(
    'the absolute form beats Host',
    '§3.2.2',
    'GET http://one.example@ HTTP/1.1\r\nHost: two.example\r\n\r\n',
    [''],
    {
      seen: /host: one\.example\r\n/,
      unseen: /two\.example/,
    },
  ),
  good('HTTP/1.0 without a host', '§3.2', 'GET @ HTTP/1.0\r\n\r\n', ['']),
  good('a request ahead of its turn', '§9.3.2', `${get}\r\n${post}Content-Length: 2\r\n\r\nhi${get}\r\n`, [
    '',
    'hi',
    '',
  ]),
  {
    name: 'a good request, then poison',
    rfc: '§11.2',
    send: `${get}\r\n${post}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    statuses: [200, 400],
    reach: [''],
  },
  {
    name: 'a body that looks like a request',
    rfc: '§11.2',
    send: `${post}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    statuses: [200],
    reach: [smuggled],
  },
  good(
    'fields of the connection end here',
    'RFC 9110 §7.6.1',
    `${get}Connection: x-secret, keep-alive\r\nX-Secret: 1\r\nKeep-Alive: x\r\nProxy-Connection: y\r\nTE: gzip\r\n\r\n`,
    [''],
    {
      unseen: /x-secret|keep-alive|proxy-connection|gzip/i,
    },
  ),
  good(
    'h2c is not offered on',
    'RFC 9113 §3.1',
    `${get}Connection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`,
    [''],
    {
      unseen: /upgrade|settings/i,
    },
  ),
  good('nor is it by another spelling', 'RFC 9113 §3.1', `${get}Connection: upgrade\r\nUpgrade: h2c/1\r\n\r\n`, [''], {
    unseen: /upgrade/i,
  }),
  good(
    'nor TLS, nor a list',
    'RFC 9110 §7.8',
    `${get}Connection: upgrade\r\nUpgrade: TLS/1.2\r\n\r\n${get}Connection: upgrade\r\nUpgrade: websocket, h2c\r\n\r\n`,
    ['', ''],
    {
      unseen: /upgrade/i,
    },
  ),
  good('an upgrade without Connection', 'RFC 9110 §7.8', `${get}Upgrade: websocket\r\n\r\n`, [''], {
    unseen: /upgrade/i,
  }),
  good(
    'an upgrade that is not taken, and a request behind it',
    'RFC 9110 §7.8',
    `${get}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n${get}\r\n`,
    ['', ''],
  ),
  good(
    'an upgrade with a body',
    'RFC 9110 §7.8',
    `${post}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n\r\nhi`,
    ['hi'],
    {
      unseen: /upgrade/i,
    },
  ),
  good(
    'who the client is cannot be said by it',
    'RFC 7239 §8.1',
    `${get}X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nForwarded: for=6.6.6.6\r\n\r\n`,
    [''],
    {
      seen: /x-forwarded-for: 127\.0\.0\.1\r\n/,
      unseen: /6\.6\.6\.6|evil|https/,
    },
  ),
  good(
    'nor with low lines for hyphens',
    'RFC 3875 §4.1.18',
    `${get}X_Forwarded_For: 6.6.6.6\r\nX-Forwarded_Proto: https\r\nX_Real-User: root\r\n\r\n`,
    [''],
    {
      unseen: /6\.6\.6\.6|https|root/,
    },
  ),
  good(
    'nor can Connection take away what the proxy says',
    'RFC 9110 §7.6.1',
    `${get}Connection: x-forwarded-for, x-real-user, host\r\n\r\n`,
    [''],
    {
      seen: /x-forwarded-for: 127\.0\.0\.1\r\n[\s\S]*x-real-user: nobody\r\n/,
    },
  ),
  good('dots that lead nowhere', 'RFC 3986 §5.2.4', `GET @/a/../b HTTP/1.1\r\n${host}\r\n`, [''], {
    seen: /^GET [^ ]*\/b HTTP/,
  }),
  good('escapes stay escapes', '§3.2', `GET @/a/../%22%3cx%3E%60 HTTP/1.1\r\n${host}\r\n`, [''], {
    seen: /^GET [^ ]*\/%22%3Cx%3E%60 HTTP/,
  }),
  good(
    'Expect, answered here',
    'RFC 9110 §10.1.1',
    `${post}Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi`,
    ['hi'],
    { unseen: /expect/i },
  ),
]

/** All, named once. */
export const tortureCases: readonly TortureCase[] = [...framings, ...chunkings, ...heads, ...paths, ...accepted]
