// Answers of servers that are broken or hostile (RFC 9112 §11.1): what the client gets, and that no octet of one answer
// ever becomes part of another's.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'
import { okAnswer, type Recorder, sendRaw, startRecorder } from './torture-ground.ts'

const evil = 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'

interface AnswerCase {
  readonly name: string
  readonly rfc: string
  readonly answer: string
  /** The server ends the connection behind it. */
  readonly ends?: boolean
  /** 0: the client's connection ends without a whole answer. */
  readonly status: number
  readonly body?: string
  readonly method?: string
}

const head = 'HTTP/1.1 200 OK\r\n'
const cases: readonly AnswerCase[] = [
  {
    name: 'a length and a coding',
    rfc: '§6.3',
    answer: `${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 502,
  },
  { name: 'two lengths', rfc: '§6.3', answer: `${head}content-length: 2\r\ncontent-length: 2\r\n\r\nok`, status: 502 },
  { name: 'a length that is none', rfc: '§6.3', answer: `${head}content-length: -1\r\n\r\nok`, status: 502 },
  { name: 'a list of lengths', rfc: '§6.3', answer: `${head}content-length: 2, 2\r\n\r\nok`, status: 502 },
  {
    name: 'a coding that is not known',
    rfc: '§6.1',
    answer: `${head}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    status: 502,
  },
  {
    name: 'chunked twice',
    rfc: '§6.1',
    answer: `${head}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 502,
  },
  {
    name: 'chunked in HTTP/1.0',
    rfc: '§6.1',
    answer: `HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 502,
  },
  { name: 'bare LF', rfc: '§2.2', answer: 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok', status: 502 },
  { name: 'obs-fold', rfc: '§5.2', answer: `${head}x: a\r\n b\r\ncontent-length: 2\r\n\r\nok`, status: 502 },
  { name: 'a name with a space', rfc: '§5.1', answer: `${head}content-length : 2\r\n\r\nok`, status: 502 },
  { name: 'a NUL', rfc: 'RFC 9110 §5.5', answer: `${head}x: \x00\r\ncontent-length: 2\r\n\r\nok`, status: 502 },
  {
    name: 'a bare CR in a value',
    rfc: '§2.2',
    answer: `${head}x: a\rset-cookie: b\r\ncontent-length: 2\r\n\r\nok`,
    status: 502,
  },
  { name: 'no status line', rfc: '§4', answer: 'hello\r\n\r\n', status: 502 },
  { name: 'HTTP/2.0', rfc: '§4', answer: 'HTTP/2.0 200 OK\r\ncontent-length: 2\r\n\r\nok', status: 502 },
  {
    name: 'a status of four digits',
    rfc: '§4',
    answer: 'HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok',
    status: 502,
  },
  { name: 'a head without end', rfc: '§5', answer: `${head}x: ${'y'.repeat(200_000)}`, status: 502 },
  {
    name: 'endless interim answers',
    rfc: 'RFC 9110 §15.2',
    answer: 'HTTP/1.1 103 Early\r\n\r\n'.repeat(100) + okAnswer,
    status: 502,
  },
  {
    name: '101 that nobody asked for',
    rfc: 'RFC 9110 §7.8',
    answer: 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nraw',
    status: 502,
  },
  { name: 'nothing, and the end', rfc: '§9.3', answer: '', ends: true, status: 502 },
  { name: 'half a head, and the end', rfc: '§8', answer: 'HTTP/1.1 200 OK\r\ncontent-le', ends: true, status: 502 },
  { name: 'a body that ends early', rfc: '§8', answer: `${head}content-length: 10\r\n\r\nhalf`, ends: true, status: 0 },
  {
    name: 'chunks that end early',
    rfc: '§8',
    answer: `${head}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
    ends: true,
    status: 0,
  },
  {
    name: 'a chunk that is none',
    rfc: '§7.1',
    answer: `${head}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n`,
    status: 0,
  },
  {
    name: 'a framing field in the trailers',
    rfc: '§7.1.2',
    answer: `${head}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\ncontent-length: 3\r\n\r\n`,
    status: 0,
  },
  { name: 'a second answer behind the first', rfc: '§11.1', answer: okAnswer + evil, status: 200, body: 'ok' },
  {
    name: 'a second answer behind a bodiless one',
    rfc: '§11.1',
    answer: `HTTP/1.1 204 No\r\n\r\n${evil}`,
    status: 204,
    body: '',
  },
  {
    name: 'a body to HEAD',
    rfc: 'RFC 9110 §9.3.2',
    method: 'HEAD',
    answer: `${head}content-length: 4\r\n\r\nevil`,
    status: 200,
    body: '',
  },
  { name: 'a length with 204', rfc: '§6.3', answer: `HTTP/1.1 204 No\r\ncontent-length: 4\r\n\r\nevil`, status: 502 },
  {
    name: 'a second answer behind chunks',
    rfc: '§11.1',
    answer: `${head}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${evil}`,
    status: 200,
    body: 'ok',
  },
  {
    name: 'fields of the connection',
    rfc: 'RFC 9110 §7.6.1',
    answer: `${head}connection: x-hop, close\r\nx-hop: evil\r\nkeep-alive: 1\r\nproxy-connection: evil\r\ncontent-length: 2\r\n\r\nok`,
    status: 200,
    body: 'ok',
  },
]

let folder = ''
let recorder: Recorder
let proxy: ProxyProcess
let current: AnswerCase = cases[0]!
/** Sent on every connection to the server a turn after its answer. */
let late: string | undefined
const sockets = new Set<net.Socket>()

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synod-answers-'))
  recorder = await startRecorder(({ line }, socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if (!line.includes('/case')) return okAnswer
    if (late !== undefined) setImmediate(() => socket.write(late!, 'latin1'))
    if (current.ends === true) {
      socket.end(current.answer, 'latin1')
      return undefined
    }
    return current.answer
  })
  proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:
  - { name: web, address: '127.0.0.1:0', routes: [{ path: /, to: app, retry: off }] }
upstreams:
  app: { endpoints: ['127.0.0.1:${recorder.port}'] }
`,
  )
})

after(async () => {
  await proxy.kill()
  recorder.close()
  rmSync(folder, { recursive: true })
})

/** Of one whole answer. */
function bodyOf(text: string): string {
  const body = text.slice(text.indexOf('\r\n\r\n') + 4)
  if (!/\r\ntransfer-encoding: chunked\r\n/.test(text)) return body
  const match = /^2\r\n(ok)\r\n0\r\n\r\n$/.exec(body)
  return match?.[1] ?? `chunks: ${body}`
}

for (const each of cases) {
  test(`${each.name} (${each.rfc})`, async () => {
    current = each
    const port = proxy.port('web')
    // A good request behind it on the same connection, which must get its own answer or none.
    const outcome = await sendRaw(
      port,
      `${each.method ?? 'GET'} /case HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    )
    assert.ok(!outcome.text.includes('evil'), outcome.text)
    if (each.status === 0) {
      assert.ok(outcome.ended)
      assert.ok(!/0\r\n\r\n$/.test(outcome.text), 'the client can tell that it is not whole')
      assert.ok(outcome.statuses.length <= 1, outcome.text)
    } else {
      assert.deepEqual(outcome.statuses, [each.status, 200], outcome.text.slice(0, 300))
      if (each.body !== undefined) {
        const first = outcome.text.slice(0, outcome.text.lastIndexOf('HTTP/1.1 '))
        assert.equal(bodyOf(first), each.body)
      }
      assert.ok(outcome.text.endsWith('\r\n\r\nok'), 'the next has its own answer')
    }
    const fresh = await sendRaw(port, 'GET /fresh HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(fresh.text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
  })
}

test('octets that nobody asked for end a kept connection', async () => {
  current = { name: '', rfc: '', answer: okAnswer, status: 200 }
  const port = proxy.port('web')
  for (let i = 0; i < 20; i++) {
    sockets.clear()
    late = evil
    const first = await sendRaw(port, 'GET /case HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.ok(first.text.endsWith('\r\n\r\nok'))
    late = undefined
    await until('the poisoned connection is closed', () => [...sockets].every((socket) => socket.destroyed))
    const second = await sendRaw(port, 'GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    assert.match(second.text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nok$/)
  }
})
