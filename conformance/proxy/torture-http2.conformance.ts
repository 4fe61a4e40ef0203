// HTTP/2 requests that would mean something else as HTTP/1.1 (RFC 9113 §10.3), through the real proxy to a server that
// records every octet; and floods of frames, which end their own connection and nothing else.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import * as net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { FrameType, HeadDecoder } from '../../src/wire/http2/index.ts'
import { dataFrame, frame, greeting, headersFrame, literalBlock, uint32 } from '../../src/wire/http2/testing.ts'
import { type ProxyProcess, startProxy, until } from './proxy-process.ts'
import { type Recorder, sendRaw, startRecorder } from './torture-ground.ts'

type Fields = readonly (readonly [string, string])[]

let folder = ''
let recorder: Recorder
let proxy: ProxyProcess

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'synod-torture-'))
  recorder = await startRecorder(({ line }) =>
    line.includes('/silent') ? undefined : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
  )
  proxy = await startProxy(
    folder,
    `
admin: 127.0.0.1:0
listeners:
  - name: web
    address: '127.0.0.1:0'
    routes: [{ path: /, to: app, retry: off, requestHeaders: { set: { X-Real-User: nobody } } }]
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

interface Outcome {
  /** Of stream 1: a status, or how it ended without one. */
  readonly result: number | 'reset' | 'closed'
}

/** Sends `frames` behind the greeting, and waits for what becomes of stream 1. */
function ask(frames: Buffer): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = net.connect({ port: proxy.port('web'), host: '127.0.0.1' })
    const heads = new HeadDecoder(1 << 16, (fields) => [...fields])
    let held: Buffer = Buffer.alloc(0)
    const end = (result: Outcome['result']): void => {
      resolve({ result })
      socket.destroy()
    }
    socket.on('error', () => {})
    socket.on('close', () => end('closed'))
    socket.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes])
      while (held.length >= 9 && held.length >= 9 + held.readUIntBE(0, 3)) {
        const whole = 9 + held.readUIntBE(0, 3)
        const type = held[3]!
        if (type === FrameType.rstStream && held.readUInt32BE(5) === 1) end('reset')
        if (type === FrameType.headers) {
          const head = heads.decode(held, 9, whole)
          const status = Array.isArray(head) ? Number(head.find(({ name }) => name === ':status')?.value) : 0
          if (status >= 200) end(status)
        }
        held = held.subarray(whole)
      }
    })
    socket.write(Buffer.concat([greeting(), frames]))
  })
}

interface Case {
  readonly name: string
  readonly rfc: string
  readonly frames: Buffer
  readonly result: Outcome['result']
  /** What reaches the server: its bodies. */
  readonly reach?: readonly string[]
  readonly seen?: RegExp
  readonly unseen?: RegExp
}

const pseudo = (changes: Readonly<Record<string, string | undefined>> = {}): [string, string][] => {
  const all: Record<string, string | undefined> = {
    ':method': 'GET',
    ':scheme': 'http',
    ':path': '/case',
    ':authority': 'shop.example',
    ...changes,
  }
  return Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
}
const get = (fields: Fields): Buffer => headersFrame(1, true, fields)
const post = { ':method': 'POST' }

const refused = (name: string, rfc: string, frames: Buffer, result: Outcome['result'] = 'reset'): Case => ({
  name,
  rfc,
  frames,
  result,
})
const field = (name: string, value: string, result: Outcome['result'] = 'reset'): Case =>
  refused(`field ${JSON.stringify(name)}: ${JSON.stringify(value)}`, '§8.2', get([...pseudo(), [name, value]]), result)
const part = (name: string, value: string | undefined, result: Outcome['result']): Case =>
  refused(`${name} ${JSON.stringify(value)}`, '§8.3.1', get(pseudo({ [name]: value })), result)
const trailer = (name: string, value: string): Buffer =>
  Buffer.concat([
    headersFrame(1, false, pseudo(post)),
    dataFrame(1, Buffer.from('hi'), false),
    headersFrame(1, true, [
      ['x-sum', '1'],
      [name, value],
    ]),
  ])
const body = (length: string | undefined, text: string): Buffer =>
  Buffer.concat([
    headersFrame(1, false, [...pseudo(post), ...(length === undefined ? [] : [['content-length', length] as const])]),
    dataFrame(1, Buffer.from(text), true),
  ])

const cases: readonly Case[] = [
  field('x', 'a\r\nhost: evil'),
  field('x', 'a\nb'),
  field('x', 'a\rb'),
  field('x', 'a\x00b'),
  field('x', ' a'),
  field('x', 'a '),
  field('X', 'a'),
  field('x y', 'a'),
  field('x:', 'a'),
  field('x\r\ny', 'a'),
  field('', 'a'),
  field(':other', 'a'),
  field(':status', '200'),
  field(':path', '/second'),
  field('transfer-encoding', 'chunked'),
  field('connection', 'close'),
  field('keep-alive', '1'),
  field('proxy-connection', 'close'),
  field('upgrade', 'h2c'),
  field('te', 'gzip'),
  field('content-length', '+5'),
  field('content-length', '5'),
  field('host', 'evil.example', 400),
  refused('two hosts', '§8.3.1', get([...pseudo(), ['host', 'shop.example'], ['host', 'shop.example']])),
  refused('a pseudo-header field behind others', '§8.3', get([['x', 'y'], ...pseudo()])),
  part(':method', 'GET / HTTP/1.1', 400),
  part(':method', 'G\r\nT', 'reset'),
  part(':method', 'M'.repeat(40), 400),
  part(':method', undefined, 'reset'),
  part(':path', '/ HTTP/1.1\r\nhost: evil\r\n\r\n', 'reset'),
  part(':path', '/a b', 400),
  part(':path', '/a#b', 400),
  part(':path', '/a\\b', 400),
  part(':path', '/a"b', 400),
  part(':path', '/a<b', 400),
  part(':path', '/a\xffb', 400),
  part(':path', '/a?\xff', 400),
  part(':path', '/%zz', 400),
  part(':path', '/a/../../b', 400),
  part(':path', 'case', 400),
  part(':path', 'http://evil.example/', 400),
  part(':path', '*', 400),
  part(':path', '', 'reset'),
  part(':path', undefined, 'reset'),
  part(':scheme', 'ftp', 400),
  part(':authority', 'a b', 400),
  part(':authority', 'a/b', 400),
  part(':authority', '%73hop.example', 400),
  part(':authority', 'user@a', 400),
  part(':authority', 'a:b', 400),
  part(':authority', 'a:1:2', 400),
  part(':authority', 'a:99999', 400),
  part(':authority', '[::1', 400),
  part(':authority', undefined, 400),
  refused('CONNECT', '§8.5', get(pseudo({ ':method': 'CONNECT', ':path': undefined, ':scheme': undefined })), 405),
  refused('extended CONNECT', 'RFC 8441', get([...pseudo({ ':method': 'CONNECT' }), [':protocol', 'websocket']])),
  refused('a body shorter than its length', '§8.1.1', body('5', 'abc')),
  refused('a body longer than its length', '§8.1.1', body('2', 'abcGET /smuggled')),
  // Whole with its head; what follows is none of it, and ends the stream.
  {
    ...refused('a body where the length is 0', '§8.1.1', body('0', 'GET /smuggled HTTP/1.1\r\n\r\n')),
    reach: [''],
    unseen: /smuggled/,
  },
  refused('a list of lengths', '§8.1.1', body('3, 3', 'abc')),
  refused('a length in the trailers', '§8.1', trailer('content-length', '5')),
  refused('a coding in the trailers', '§8.1', trailer('transfer-encoding', 'chunked')),
  refused('a pseudo-header field in the trailers', '§8.1', trailer(':path', '/evil')),
  { name: 'a body without a length', rfc: '§8.1', frames: body(undefined, 'abc'), result: 200, reach: ['abc'] },
  { name: 'a body with its length', rfc: '§8.1', frames: body('3', 'abc'), result: 200, reach: ['abc'] },
  {
    name: 'a body that looks like chunks',
    rfc: '§8.1',
    frames: body(undefined, '0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n'),
    result: 200,
    reach: ['0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n'],
  },
  {
    name: 'host alone',
    rfc: '§8.3.1',
    frames: get([...pseudo({ ':authority': undefined }), ['host', 'one.example']]),
    result: 200,
    reach: [''],
    seen: /host: one\.example/,
  },
  {
    name: 'host that is the authority',
    rfc: '§8.3.1',
    frames: get([...pseudo(), ['host', 'SHOP.example']]),
    result: 200,
    reach: [''],
  },
  ...['x-forwarded-for', 'x_forwarded_for', 'x-real-user', 'authorization', 'host', 'cookie'].map((name) => ({
    name: `${name} in the trailers: not sent on`,
    rfc: 'RFC 9110 §6.5.1',
    frames: trailer(name, '6.6.6.6'),
    result: 200 as const,
    reach: ['hi'],
    seen: /x-sum: 1/,
    unseen: /6\.6\.6\.6/,
  })),
  {
    name: 'who the client is cannot be said by it',
    rfc: 'RFC 7239 §8.1',
    frames: get([
      ...pseudo({ ':scheme': 'https' }),
      ['x-forwarded-for', '6.6.6.6'],
      ['x_real_user', 'root'],
      ['x-forwarded-proto', 'https'],
    ]),
    result: 200,
    reach: [''],
    seen: /x-forwarded-for: 127\.0\.0\.1\r\nx-forwarded-proto: http\r\n/,
    unseen: /6\.6\.6\.6|root|https/,
  },
]

async function fence(): Promise<void> {
  const { text } = await sendRaw(proxy.port('web'), 'GET /fence HTTP/1.1\r\nHost: fence\r\nConnection: close\r\n\r\n')
  assert.match(text, /^HTTP\/1\.1 200 /)
}

for (const each of cases) {
  test(`${each.name} (${each.rfc})`, async () => {
    recorder.reset()
    assert.deepEqual(await ask(each.frames), { result: each.result })
    await fence()
    assert.deepEqual(recorder.faults, [])
    const arrived = recorder.requests.filter(({ line }) => !line.includes('/fence'))
    assert.deepEqual(
      arrived.map(({ body: arrivedBody }) => arrivedBody),
      each.reach ?? [],
    )
    const text = recorder.text().split('GET /fence', 1)[0]!
    if (each.seen !== undefined) assert.match(text, each.seen)
    if (each.unseen !== undefined) assert.doesNotMatch(text, each.unseen)
  })
}

/** Sends `piece` again and again until the proxy closes the connection, or `timesMax` is reached. How often it went. */
async function flood(first: Buffer, piece: (time: number) => Buffer, timesMax: number): Promise<'closed' | 'endured'> {
  const socket = net.connect({ port: proxy.port('web'), host: '127.0.0.1' })
  let isClosed = false
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
  })
  socket.resume()
  socket.write(Buffer.concat([greeting(), first]))
  for (let time = 0; time < timesMax && !isClosed; time++) {
    if (!socket.write(piece(time))) {
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve)
        socket.once('close', resolve)
      })
    }
  }
  for (const deadline = Date.now() + 10_000; !isClosed && Date.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const result = isClosed ? 'closed' : 'endured'
  socket.destroy()
  return result
}

const many = (made: (time: number) => Buffer, count: number) => (time: number) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => made(time * count + i)))
const nothing = Buffer.alloc(0)

test('floods end their own connection, and the others are served', async () => {
  const streams = (to: string) => (i: number) =>
    Buffer.concat([
      headersFrame(1 + 2 * i, true, pseudo({ ':path': to })),
      frame(FrameType.rstStream, 0, 1 + 2 * i, uint32(8)),
    ])
  const floods: readonly (readonly [name: string, Promise<'closed' | 'endured'>])[] = [
    ['rapid reset (CVE-2023-44487)', flood(nothing, many(streams('/silent'), 100), 1_000)],
    [
      'CONTINUATION (CVE-2024-27316)',
      flood(
        frame(FrameType.headers, 0, 1, literalBlock(pseudo())),
        many(() => frame(FrameType.continuation, 0, 1, literalBlock([['x', 'y'.repeat(64)]])), 100),
        10_000,
      ),
    ],
    [
      'empty CONTINUATION',
      flood(
        frame(FrameType.headers, 0, 1, literalBlock(pseudo())),
        many(() => frame(FrameType.continuation, 0, 1), 100),
        10_000,
      ),
    ],
    [
      'PING (CVE-2019-9512)',
      flood(
        nothing,
        many(() => frame(FrameType.ping, 0, 0, Buffer.alloc(8)), 100),
        10_000,
      ),
    ],
    [
      'SETTINGS (CVE-2019-9515)',
      flood(
        nothing,
        many(() => frame(FrameType.settings, 0, 0), 100),
        10_000,
      ),
    ],
    [
      'empty DATA (CVE-2019-9518)',
      flood(
        headersFrame(1, false, pseudo({ ...post, ':path': '/silent' })),
        many(() => dataFrame(1, nothing, false), 100),
        10_000,
      ),
    ],
    [
      'PRIORITY (CVE-2019-9513)',
      flood(
        nothing,
        many((i) => frame(FrameType.priority, 0, 1 + 2 * i, Buffer.alloc(5)), 100),
        10_000,
      ),
    ],
    [
      'unknown frames',
      flood(
        nothing,
        many(() => frame(0xee, 0, 0), 100),
        10_000,
      ),
    ],
  ]
  for (const [name, result] of floods) assert.equal(await result, 'closed', name)
  await fence()
  await until('nothing of them is under way', async () => {
    const { body: page } = await proxy.ask('GET', '/metrics')
    return !/_active\{[^}]*\} [1-9]/.test(page)
  })
})
