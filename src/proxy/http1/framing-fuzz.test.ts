/**
 * Whatever the octets and wherever they are cut: the same requests come out, nothing throws, and a second reader of RFC
 * 9112, written another way (regular expressions over the whole text), sees the same.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng } from '../../base/index.ts'
import { responseHead } from '../http/testing/response-head.ts'
import { outgoing, RecordingHandler, RecordingReceiver } from './testing/recording.ts'
import { scriptedClient, scriptedPool } from './testing/scripted.ts'

interface Seen {
  /** `METHOD target authority fields body trailers` of each complete request. */
  readonly requests: readonly string[]
  /** How reading ended: the status of the refusal, or that more would be read. */
  readonly end: number | 'open'
}

/** What the proxy's reader makes of `text` in pieces that end at `cuts`. */
function readByProxy(text: string, cuts: readonly number[]): Seen {
  const handler = new RecordingHandler(({ responder }) => responder.sendHead(responseHead(200, [], 0), true))
  const { connection, send } = scriptedClient(handler)
  let from = 0
  for (const cut of [...cuts, text.length]) {
    if (cut > from) send(text.slice(from, cut))
    from = Math.max(from, cut)
  }
  const statuses = [...connection.text.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)].map((match) => Number(match[1]))
  const last = statuses.at(-1)
  const requests = handler.requests
    .filter(({ isEnded }) => isEnded)
    .map(({ head, body, trailers }) =>
      JSON.stringify([head.method, head.target, head.authority, head.fields, body, trailers ?? null]),
    )
  return { requests, end: last !== undefined && last >= 400 ? last : 'open' }
}

/** Why the twin stopped: the framing is wrong, or the text left the corner of HTTP/1.1 that the twin knows. */
type TwinStop = 'framing' | 'unknown' | undefined

/** The twin reads only a plain corner of HTTP/1.1: origin form, the fields that the generator below knows. */
function readByTwin(text: string): { readonly requests: string[]; readonly stop: TwinStop } {
  const requests: string[] = []
  let rest = text
  for (;;) {
    rest = rest.replace(/^\r\n/, '')
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) {
      const isStrange = /(^|[^\r])\n/.test(rest) || /^[^\w!#$%&'*+.^`|~-]/.test(rest)
      return { requests, stop: isStrange ? 'unknown' : undefined }
    }
    const request = headByTwin(rest.slice(0, end + 2))
    if (typeof request === 'string') return { requests, stop: request }
    rest = rest.slice(end + 4)
    const body = bodyByTwin(request.framing, rest)
    if (body === 'refused') return { requests, stop: 'framing' }
    if (body === 'short') return { requests, stop: undefined }
    rest = rest.slice(body.size)
    requests.push(
      JSON.stringify([request.method, request.target, request.host, request.fields, body.text, body.trailers]),
    )
  }
}

type TwinFraming = number | 'chunked'

function headByTwin(head: string) {
  const match = /^([A-Z]+) (\/[a-z0-9/?=]*) HTTP\/1\.1\r\n((?:[\w-]+:[ \t]*[\x20-\x7e]*[ \t]*\r\n)*)$/.exec(head)
  if (match === null) return 'unknown' as const
  const all = [...match[3]!.matchAll(/([\w-]+):[ \t]*(.*?)[ \t]*\r\n/g)].map(
    (field) => [field[1]!.toLowerCase(), field[2]!] as const,
  )
  const valuesOf = (name: string): string[] => all.filter((field) => field[0] === name).map((field) => field[1])
  const hosts = valuesOf('host')
  const lengths = valuesOf('content-length')
  const encodings = valuesOf('transfer-encoding')
  if (hosts.length !== 1 || !/^[a-z.]+$/.test(hosts[0]!)) return 'unknown' as const
  if (lengths.length > 1 || encodings.length > 1 || lengths.length + encodings.length > 1) return 'framing' as const
  if (lengths.length === 1 && !/^\d{1,15}$/.test(lengths[0]!)) return 'framing' as const
  if (encodings.length === 1 && encodings[0]!.toLowerCase() !== 'chunked') return 'framing' as const
  const framing: TwinFraming = encodings.length === 1 ? 'chunked' : Number(lengths[0] ?? 0)
  const isOwn = (name: string): boolean => /^(host|content-length|transfer-encoding)$/.test(name)
  return {
    method: match[1]!,
    target: match[2]!,
    host: hosts[0]!,
    framing,
    fields: all.filter((field) => !isOwn(field[0])).flat(),
  }
}

function bodyByTwin(framing: TwinFraming, rest: string) {
  if (framing !== 'chunked') {
    return rest.length < framing
      ? ('short' as const)
      : { text: rest.slice(0, framing), size: framing, trailers: null as string[] | null }
  }
  let at = 0
  let text = ''
  for (;;) {
    const size = /^([0-9a-fA-F]{1,12})(?:;[\x20-\x7e]*)?\r\n/.exec(rest.slice(at))
    if (size === null) {
      const isBegun = /^(?:[0-9a-fA-F]{1,12}(?:;[\x20-\x7e]*)?)?\r?$/.test(rest.slice(at))
      return isBegun && !/^\r/.test(rest.slice(at)) ? ('short' as const) : ('refused' as const)
    }
    at += size[0].length
    const length = Number.parseInt(size[1]!, 16)
    if (length === 0) break
    text += rest.slice(at, at + length)
    at += length
    if (rest.length < at + 2) return '\r\n'.startsWith(rest.slice(at)) ? ('short' as const) : ('refused' as const)
    if (rest.slice(at, at + 2) !== '\r\n') return 'refused' as const
    at += 2
  }
  const trailers = /^((?:[\w-]+:[ \t]*[\x20-\x7e]*\r\n)*)\r\n/.exec(rest.slice(at))
  if (trailers === null) {
    const left = rest.slice(at)
    return left.includes('\r\n\r\n') || /(^|[^\r])\n/.test(left) ? ('refused' as const) : ('short' as const)
  }
  const fields = [...trailers[1]!.matchAll(/([\w-]+):[ \t]*(.*?)[ \t]*\r\n/g)].map((field) => [
    field[1]!.toLowerCase(),
    field[2]!,
  ])
  if (fields.some(([name]) => /^(host|content-length|transfer-encoding)$/.test(name!))) return 'refused' as const
  return { text, size: at + trailers[0].length, trailers: fields.length === 0 ? null : fields.flat() }
}

/** A few requests in a row, whole and right. */
function validRequests(prng: Prng): string {
  let text = ''
  for (let count = 1 + prng.below(3); count > 0; count--) {
    const extra = ['', 'X-One: 1\r\n', 'x-two:\t two \r\nX-One: 1\r\n'][prng.below(3)]!
    const body = 'abc=\r\n&GET / HTTP/1.1'.slice(0, prng.below(22))
    const head = `${['GET', 'POST', 'DELETE'][prng.below(3)]} /${'a/b?c=d'.slice(0, prng.below(8))} HTTP/1.1\r\n`
    const host = ['Host: a\r\n', 'host:b.c\r\n'][prng.below(2)]!
    const kind = prng.below(3)
    if (kind === 0) text += `${head}${host}${extra}\r\n`
    else if (kind === 1) text += `${head}Content-Length: ${body.length}\r\n${host}${extra}\r\n${body}`
    else {
      const cut = prng.below(body.length + 1)
      const chunks = [body.slice(0, cut), body.slice(cut)].filter((chunk) => chunk !== '')
      const coded = chunks.map((chunk) => `${chunk.length.toString(16)}${['', ';a=b'][prng.below(2)]}\r\n${chunk}\r\n`)
      const trailers = ['', 'X-Sum: 1\r\n'][prng.below(2)]!
      text += `${head}${host}${extra}Transfer-Encoding: chunked\r\n\r\n${coded.join('')}0\r\n${trailers}\r\n`
    }
  }
  return text
}

const splinters = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  '\0',
  '0',
  'f',
  ';',
  ',',
  '\xff',
  '+',
  '-',
  'Host: a\r\n',
]
const framingLines = [
  'Content-Length: 3\r\n',
  'Content-Length: 3, 3\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip\r\n',
  'Transfer-Encoding : chunked\r\n',
]

function mutated(prng: Prng, text: string): string {
  let result = text
  for (let count = prng.below(3); count > 0; count--) {
    const at = prng.below(result.length + 1)
    const kind = prng.below(4)
    if (kind === 0) result = result.slice(0, at) + result.slice(at + 1 + prng.below(3))
    else if (kind === 1) result = result.slice(0, at) + splinters[prng.below(splinters.length)] + result.slice(at)
    else if (kind === 2) {
      const line = result.indexOf('\r\n', at)
      const added = framingLines[prng.below(framingLines.length)]!
      if (line !== -1) result = result.slice(0, line + 2) + added + result.slice(line + 2)
    } else result = result.slice(0, at) + String.fromCharCode(prng.below(256)) + result.slice(at + 1)
  }
  return result
}

/** Within what the twin reads: for other texts only the cuts are compared. */
function isForTwin(text: string): boolean {
  return (
    !/connection|upgrade|expect|te:|trailer|keep|authoriz|content-[^l]|cookie|cache|max-f|http2/i.test(
      text.replace(/transfer-encoding|content-length/gi, ''),
    ) && /^[\r\n\x20-\x7e]*$/.test(text)
  )
}

describe('request framing', () => {
  it('is the same wherever the octets are cut, and as the twin sees it', () => {
    const prng = new Prng('request framing')
    let compared = 0
    let refused = 0
    let misframed = 0
    let served = 0
    for (let run = 0; run < 4_000; run++) {
      const text = mutated(prng, validRequests(prng))
      const whole = readByProxy(text, [])
      const cuts = [...Array(1 + prng.below(4))].map(() => prng.below(text.length + 1)).sort((a, b) => a - b)
      assert.deepEqual(readByProxy(text, cuts), whole, JSON.stringify({ run, text, cuts }))
      if (!isForTwin(text)) continue
      const twin = readByTwin(text)
      const context = JSON.stringify({ run, text, whole, twin })
      assert.deepEqual(whole.requests.slice(0, twin.requests.length), twin.requests, context)
      if (twin.stop === undefined) {
        assert.deepEqual(whole, { requests: twin.requests, end: 'open' }, context)
      } else if (twin.stop === 'framing') {
        assert.equal(whole.requests.length, twin.requests.length, context)
        assert.notEqual(whole.end, 'open', context)
        misframed++
      }
      compared++
      if (whole.end !== 'open') refused++
      served += whole.requests.length
    }
    // The texts must be neither all right nor all wrong, or this would show nothing.
    assert.ok(
      compared > 1_500 && refused > 400 && misframed > 200 && served > 1_500,
      `${compared} ${refused} ${misframed} ${served}`,
    )
  })

  it('is the same for every single cut and for octet after octet', () => {
    const prng = new Prng('every cut')
    for (let run = 0; run < 40; run++) {
      const text = mutated(prng, validRequests(prng))
      const whole = readByProxy(text, [])
      for (let cut = 1; cut < text.length; cut++)
        assert.deepEqual(readByProxy(text, [cut]), whole, JSON.stringify({ text, cut }))
      assert.deepEqual(readByProxy(text, [...Array(text.length).keys()]), whole, JSON.stringify(text))
    }
  })

  it('random octets never throw', () => {
    const prng = new Prng('octets')
    for (let run = 0; run < 500; run++) {
      const octets = [...Array(prng.below(200))].map(() => String.fromCharCode(prng.below(256))).join('')
      readByProxy(octets, [prng.below(octets.length + 1)])
      readByProxy(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${octets}`, [])
    }
  })
})

describe('response framing', () => {
  it('is the same wherever the octets are cut, and never throws', () => {
    const prng = new Prng('response framing')
    const texts = [
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n',
      'HTTP/1.0 404 Not Found\r\nConnection: keep-alive\r\n\r\nhello',
    ]
    const read = (text: string, cuts: readonly number[]): string => {
      const { pool, network, scheduler } = scriptedPool()
      const receiver = new RecordingReceiver()
      pool.send(outgoing(), receiver)
      const { peer } = network.made[0]!
      peer.onOpen?.()
      let from = 0
      for (const cut of [...cuts, text.length]) {
        if (cut > from) peer.onData(Buffer.from(text.slice(from, cut), 'latin1'))
        from = cut
      }
      scheduler.settle()
      const { head, body, trailers, isEnded, failure, informational } = receiver
      return JSON.stringify([
        head?.status,
        head?.fields,
        body,
        trailers,
        isEnded,
        failure,
        informational,
        pool.connections,
      ])
    }
    const outcomes = new Set<string>()
    for (let run = 0; run < 3_000; run++) {
      const text = mutated(prng, texts[prng.below(texts.length)]!)
      if (text === '') continue
      const whole = read(text, [])
      const cut = prng.below(text.length)
      outcomes.add(whole)
      // A head that is wrong is refused as soon as that is seen: then the reason may differ by what else had arrived.
      const same = (outcome: string): string => outcome.replace(/"detail":"[^"]*"/, '')
      assert.equal(same(read(text, [cut])), same(whole), JSON.stringify({ text, cut }))
    }
    assert.ok(outcomes.size > 100)
  })
})
