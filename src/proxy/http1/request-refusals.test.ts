/** Requests that are refused, each whole and cut at every octet, and the ones next to them that are not. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { responseHead } from '../http/testing/response-head.ts'
import { RecordingHandler } from './testing/recording.ts'
import { scriptedClient, tightLimits } from './testing/scripted.ts'

const get = (lines: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`
const post = (lines: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n${body}`
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body)
const line = (text: string): string => `${text}\r\nHost: a\r\n\r\n`

const refusedRequests: readonly (readonly [name: string, request: string, status: number])[] = [
  ['RFC 9112 §6.1 length and encoding', post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'), 400],
  ['RFC 9112 §6.1 encoding and length', post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n'), 400],
  ['RFC 9110 §8.6 two lengths', post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 two equal lengths', post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 a list of lengths', post('Content-Length: 5, 5\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 length with a sign', post('Content-Length: +5\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 negative length', post('Content-Length: -5\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 length with a space inside', post('Content-Length: 1 0\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 hexadecimal length', post('Content-Length: 0x5\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 empty length', post('Content-Length: \r\n', 'hello'), 400],
  ['RFC 9110 §8.6 fractional length', post('Content-Length: 5.0\r\n', 'hello'), 400],
  ['RFC 9110 §8.6 length out of range', post('Content-Length: 18446744073709551617\r\n', 'h'), 400],
  ['RFC 9112 §6.1 unknown coding before chunked', post('Transfer-Encoding: gzip, chunked\r\n'), 501],
  ['RFC 9112 §6.3 chunked is not last', post('Transfer-Encoding: chunked, gzip\r\n'), 400],
  ['RFC 9112 §6.3 no chunked', post('Transfer-Encoding: gzip\r\n'), 400],
  ['RFC 9112 §6.1 identity', post('Transfer-Encoding: identity\r\n'), 400],
  ['RFC 9112 §7.1 chunked twice', post('Transfer-Encoding: chunked, chunked\r\n'), 400],
  ['RFC 9112 §7.1 chunked in two lines', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'), 400],
  ['RFC 9112 §6.1 nearly chunked', post('Transfer-Encoding: xchunked\r\n'), 400],
  ['RFC 9112 §6.1 chunked with a parameter', post('Transfer-Encoding: chunked;q=1\r\n'), 400],
  ['RFC 9112 §6.1 vertical tab before chunked', post('Transfer-Encoding: \x0bchunked\r\n'), 400],
  ['RFC 9112 §6.1 empty encoding', post('Transfer-Encoding: \r\n'), 400],
  ['RFC 9112 §6.1 encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['RFC 9112 §5.2 folded field', get('X: a\r\n b\r\n'), 400],
  ['RFC 9112 §5.2 folded field with a tab', get('X: a\r\n\tb\r\n'), 400],
  ['RFC 9112 §2.2 space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
  ['RFC 9112 §2.2 LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
  ['RFC 9112 §2.2 LF after a field', 'GET / HTTP/1.1\r\nHost: a\n\r\n', 400],
  ['RFC 9112 §2.2 LF everywhere', 'GET / HTTP/1.1\nHost: a\n\n', 400],
  ['RFC 9112 §2.2 CR within a value', get('X: a\rb\r\n'), 400],
  ['RFC 9112 §2.2 CR that would end a field', get('X: a\rbY: c\r\n'), 400],
  ['RFC 9112 §2.2 CR instead of the end of a line', 'GET / HTTP/1.1\rHost: a\r\n\r\n', 400],
  ['RFC 9112 §2.2 two empty lines first', '\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['RFC 9110 §5.5 NUL in a value', get('X: a\0b\r\n'), 400],
  ['RFC 9110 §5.5 control in a value', get('X: a\x01b\r\n'), 400],
  ['RFC 9110 §5.5 DEL in a value', get('X: a\x7fb\r\n'), 400],
  ['RFC 9112 §5.1 space before the colon', get('X : a\r\n'), 400],
  ['RFC 9112 §5.1 tab before the colon', get('Content-Length\t: 5\r\n'), 400],
  ['RFC 9110 §5.1 empty name', get(': a\r\n'), 400],
  ['RFC 9110 §5.1 no colon', get('Xa\r\n'), 400],
  ['RFC 9110 §5.1 name with a bracket', get('X(a): a\r\n'), 400],
  ['RFC 9110 §5.1 name with NUL', get('X\0: a\r\n'), 400],
  ['RFC 9110 §5.1 name beyond ASCII', get('X\xe9: a\r\n'), 400],
  ['RFC 3986 §3.2.2 escapes in the host', 'GET / HTTP/1.1\r\nHost: %61.example\r\n\r\n', 400],
  ['RFC 3986 §3.2.2 escapes in the authority', 'GET http://%61.example/ HTTP/1.1\r\nHost: %61.example\r\n\r\n', 400],
  ['RFC 9112 §3 two spaces before the target', line('GET  / HTTP/1.1'), 400],
  ['RFC 9112 §3 two spaces before the version', line('GET /  HTTP/1.1'), 400],
  ['RFC 9112 §3 tab in the request line', line('GET\t/ HTTP/1.1'), 400],
  ['RFC 9112 §3 space after the version', line('GET / HTTP/1.1 '), 400],
  ['RFC 9112 §3 space before the method', line(' GET / HTTP/1.1'), 400],
  ['RFC 9112 §3 space in the target', line('GET /a b HTTP/1.1'), 400],
  ['RFC 9112 §3 no version', line('GET /'), 400],
  ['RFC 9112 §3 no target', line('GET HTTP/1.1'), 400],
  ['RFC 9112 §3.1 method with a colon', line('GE:T / HTTP/1.1'), 400],
  ['RFC 9112 §2.3 version in lower case', line('GET / http/1.1'), 400],
  ['RFC 9112 §2.3 version with two digits', line('GET / HTTP/1.10'), 400],
  ['RFC 9112 §2.3 HTTP/2.0', line('GET / HTTP/2.0'), 505],
  ['RFC 9112 §2.3 HTTP/1.2', line('GET / HTTP/1.2'), 505],
  ['RFC 9112 §2.3 HTTP/0.9', line('GET / HTTP/0.9'), 505],
  ['RFC 9112 §3.2 no host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['RFC 9112 §3.2 two hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['RFC 9112 §3.2 two equal hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
  ['RFC 9112 §3.2 empty host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n', 400],
  ['RFC 9112 §3.2 host with a slash', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['RFC 9112 §3.2 host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n', 400],
  ['RFC 9112 §3.2 host with user information', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['RFC 9112 §3.2 host with a bad port', 'GET / HTTP/1.1\r\nHost: a:x\r\n\r\n', 400],
  ['RFC 9112 §3.2 host with a port out of range', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n', 400],
  ['RFC 9112 §3.2 invalid host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a b\r\n\r\n', 400],
  ['RFC 9112 §3.2.2 absolute form, no authority', line('GET http:/// HTTP/1.1'), 400],
  ['RFC 9112 §3.2.2 absolute form, user information', line('GET http://u@b/ HTTP/1.1'), 400],
  ['RFC 9112 §3.2.2 absolute form of another scheme', line('GET ftp://b/ HTTP/1.1'), 400],
  ['RFC 9112 §3.2.2 absolute form without Host', 'GET http://b/ HTTP/1.1\r\n\r\n', 400],
  ['RFC 9112 §3.2.3 CONNECT', line('CONNECT a:443 HTTP/1.1'), 501],
  ['RFC 9112 §3.2.3 authority form of another method', line('GET a:443 HTTP/1.1'), 400],
  ['RFC 9112 §3.2.4 asterisk of another method', line('GET * HTTP/1.1'), 400],
  ['RFC 3986 §2 quotation mark in the target', line('GET /" HTTP/1.1'), 400],
  ['RFC 3986 §2 angle bracket in the target', line('GET /< HTTP/1.1'), 400],
  ['RFC 3986 §3.5 fragment in the target', line('GET /#a HTTP/1.1'), 400],
  ['RFC 3986 §2 octets beyond ASCII in the target', line('GET /\xe9 HTTP/1.1'), 400],
  ['RFC 3986 §2.1 broken percent-encoding', line('GET /%zz HTTP/1.1'), 400],
  ['RFC 3986 §2.1 cut percent-encoding', line('GET /%2 HTTP/1.1'), 400],
  ['RFC 9110 §7.6.1 Connection is no list of tokens', get('Connection: a b\r\n'), 400],
  ['RFC 9110 §7.8 two Upgrade fields', get('Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n'), 400],
  ['RFC 9110 §10.1.1 unknown expectation', post('Expect: 200-ok\r\nContent-Length: 5\r\n', 'hello'), 417],
  ['RFC 9112 §7.1 chunk size with a sign', chunked('+5\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 negative chunk size', chunked('-5\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 chunk size with 0x', chunked('0x5\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 space before the chunk size', chunked(' 5\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 space after the chunk size', chunked('5 \r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 empty chunk size', chunked('\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 chunk size out of range', chunked('10000000000000005\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 LF after the chunk size', chunked('5\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 CR without LF after the chunk size', chunked('5\rhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 chunk longer than its size', chunked('5\r\nhelloX\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 other octet for the CR after the chunk', chunked('5\r\nhelloX\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1 LF after the chunk', chunked('5\r\nhello\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1.1 LF within an extension', chunked('5;a\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1.1 control in an extension', chunked('5;a\0\r\nhello\r\n0\r\n\r\n'), 400],
  ['RFC 9112 §7.1.2 trailer with a framing field', chunked('0\r\nContent-Length: 5\r\n\r\n'), 400],
  ['RFC 9110 §6.5.1 trailer with Transfer-Encoding', chunked('0\r\nTransfer-Encoding: chunked\r\n\r\n'), 400],
  ['RFC 9110 §6.5.1 trailer with Host', chunked('0\r\nHost: b\r\n\r\n'), 400],
  ['RFC 9110 §6.5.1 trailer with Authorization', chunked('0\r\nAuthorization: b\r\n\r\n'), 400],
  ['RFC 9112 §7.1.2 folded trailer', chunked('0\r\nX: a\r\n b\r\n\r\n'), 400],
  ['RFC 9112 §7.1.2 LF after a trailer', chunked('0\r\nX: a\n\r\n\r\n'), 400],
  ['TLS on a plain port', '\x16\x03\x01\x02\0\x01\0', 400],
]

const acceptedRequests: readonly (readonly [name: string, request: string, body: string, authority: string])[] = [
  ['RFC 9112 §2.2 one empty line first', '\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n', '', 'a'],
  ['RFC 9112 §5 blanks around the value', 'GET / HTTP/1.1\r\nHost: \t a \t\r\n\r\n', '', 'a'],
  ['RFC 9110 §5.5 octets beyond ASCII in a value', get('X: \xe9\r\n'), '', 'a'],
  ['RFC 9110 §5.5 empty value', get('X:\r\n'), '', 'a'],
  ['RFC 9112 §3.2.2 absolute form wins', line('GET http://b:80/x?y HTTP/1.1'), '', 'b:80'],
  ['RFC 9112 §3.2.4 absolute form of OPTIONS', line('OPTIONS http://b HTTP/1.1'), '', 'b'],
  ['RFC 9112 §3.2 IPv6 host', 'GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n', '', '[::1]:8080'],
  ['RFC 9112 §3.2 HTTP/1.0 without host', 'GET / HTTP/1.0\r\n\r\n', '', ''],
  ['browsers: brackets in the query', line('GET /?a[]=1|2^{} HTTP/1.1'), '', 'a'],
  ['browsers: backslash and back-tick in the query', line('GET /?path=C:\\x&y=` HTTP/1.1'), '', 'a'],
  ['RFC 3986 §3.2.3 port without digits', 'GET / HTTP/1.1\r\nHost: b.example:\r\n\r\n', '', 'b.example:'],
  ['browsers: lone percent in the query', line('GET /?100% HTTP/1.1'), '', 'a'],
  ['RFC 9112 §6.2 length', post('Content-Length: 005\r\n', 'hello'), 'hello', 'a'],
  ['RFC 9112 §7 coding in capitals', post('Transfer-Encoding: Chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'), 'hello', 'a'],
  ['RFC 9112 §7.1 several chunks', chunked('2\r\nhe\r\n003\r\nllo\r\n00\r\n\r\n'), 'hello', 'a'],
  ['RFC 9112 §7.1.1 extensions', chunked('5;a=b;c="d e"\r\nhello\r\n0;x\r\n\r\n'), 'hello', 'a'],
  ['RFC 9112 §7.1.2 trailers', chunked('5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n'), 'hello', 'a'],
]

/** The status line that answers `request`, sent in two pieces cut at `cut`. */
function answerTo(request: string, cut: number): { status: number; handler: RecordingHandler; isEnded: boolean } {
  const handler = new RecordingHandler(({ responder }) => responder.sendHead(responseHead(200, [], 0), true))
  const { connection, send } = scriptedClient(handler)
  if (cut > 0) send(request.slice(0, cut))
  send(request.slice(cut))
  return { status: Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(connection.text)?.[1]), handler, isEnded: connection.isEnded }
}

describe('requests that are refused', () => {
  for (const [name, request, status] of refusedRequests) {
    it(`${name}: ${status}`, () => {
      for (let cut = 0; cut < request.length; cut++) {
        const answer = answerTo(request, cut)
        assert.equal(answer.status, status, `cut at ${cut}`)
        assert.equal(answer.isEnded, true, `cut at ${cut}: the connection must close`)
        assert.equal(answer.handler.requests.filter(({ isEnded }) => isEnded).length, 0, 'nothing is served')
      }
    })
  }
})

describe('what is not HTTP at all', () => {
  for (const request of [
    'INVALID CONNECTION PREFACE\r\n\r\n',
    'HELO mail EIGHT_OF\r\n\r\n',
    'a b eight678\r\nc: d\r\n\r\n',
  ]) {
    it(`gets no answer that its sender could not read: ${JSON.stringify(request)}`, () => {
      const handler = new RecordingHandler()
      const { connection, send } = scriptedClient(handler)
      send(request)
      assert.deepEqual([connection.text, connection.isEnded, handler.requests.length], ['', true, 0])
      assert.equal(handler.refused.length, 1)
    })
  }
})

describe('requests that are not refused', () => {
  for (const [name, request, body, authority] of acceptedRequests) {
    it(name, () => {
      for (let cut = 0; cut < request.length; cut++) {
        const { status, handler } = answerTo(request, cut)
        assert.equal(status, 200, `cut at ${cut}: ${JSON.stringify(handler.refused)}`)
        const [served] = handler.requests
        assert.equal(served!.body, body)
        assert.equal(served!.head.authority, authority)
      }
    })
  }

  it('gives the parts of a head, without what belongs to the connection (RFC 9110 §7.6.1)', () => {
    const handler = new RecordingHandler()
    scriptedClient(handler).send(
      'PATCH http://b/x?y=1 HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nConnection: close, X-Hop\r\nx-hop: gone\r\nKeep-Alive: 5\r\n' +
        'Proxy-Connection: x\r\nTE: gzip, trailers;q=1\r\nx-one: 2\r\nContent-Length: 3\r\nExpect: 100-Continue\r\n\r\n',
    )
    const { head } = handler.requests[0]!
    assert.deepEqual([head.method, head.target, head.authority, head.version], ['PATCH', '/x?y=1', 'b', '1.1'])
    assert.deepEqual(head.fields, ['x-one', '1', 'x-one', '2', 'te', 'trailers'])
    assert.deepEqual([head.bodyLength, head.expectsContinue, head.get('x-one')], [3, true, '1'])
    assert.equal(head.get('X-Nothing'), undefined)
  })

  it('takes one wish for an upgrade, but not h2c, a list, or one with a body (RFC 9110 §7.8)', () => {
    const upgradeOf = (lines: string): string | undefined => {
      const handler = new RecordingHandler()
      scriptedClient(handler).send(get(lines))
      return handler.requests[0]!.head.upgrade
    }
    assert.equal(upgradeOf('Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n'), 'websocket')
    assert.equal(upgradeOf('Upgrade: websocket\r\n'), undefined)
    assert.equal(upgradeOf('Connection: upgrade\r\nUpgrade: h2c\r\n'), undefined)
    assert.equal(upgradeOf('Connection: upgrade\r\nUpgrade: a, b\r\n'), undefined)
    assert.equal(upgradeOf('Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n'), undefined)
  })
})

describe('bounds', () => {
  const statusOf = (request: string): number => answerTo(request, 0).status
  const long = 'a'.repeat(tightLimits.headBytesMax)

  it('RFC 9112 §3 a request line too long is 414, complete or not', () => {
    assert.equal(statusOf(line(`GET /${long} HTTP/1.1`)), 414)
    assert.equal(statusOf(`GET /${long}`), 414)
  })

  it('RFC 6585 §5 a head too large is 431, complete or not', () => {
    assert.equal(statusOf(get(`X: ${long}\r\n`)), 431)
    assert.equal(statusOf(`GET / HTTP/1.1\r\nX: ${long}`), 431)
  })

  it('RFC 6585 §5 too many fields are 431', () => {
    assert.equal(statusOf(get('X: a\r\n'.repeat(tightLimits.headerFieldsMax))), 431)
    assert.equal(statusOf(get('X: a\r\n'.repeat(tightLimits.headerFieldsMax - 1))), 200)
  })

  it('RFC 9112 §7.1.1 chunk extensions are bounded over the whole body', () => {
    const extended = `1;${'x'.repeat(1_000)}\r\na\r\n`
    assert.equal(statusOf(chunked(`${extended.repeat(10)}0\r\n\r\n`)), 200)
    assert.equal(statusOf(chunked(`${extended.repeat(20)}0\r\n\r\n`)), 400)
  })

  it('RFC 9112 §7.1.2 trailers are bounded', () => {
    assert.equal(statusOf(chunked(`0\r\nX: ${long}\r\n\r\n`)), 431)
    assert.equal(statusOf(chunked(`0\r\n${'X: a\r\n'.repeat(65)}\r\n`)), 431)
    assert.equal(statusOf(chunked(`0\r\n${'X: a\r\n'.repeat(64)}\r\n`)), 200)
  })
})
