// Ground for the torture suites: a client that writes octets as they are, and a server that records those it gets.
import { once } from 'node:events'
import * as net from 'node:net'

/** What came back on one connection. */
export interface RawOutcome {
  /** Everything, one unit an octet. */
  readonly text: string
  /** The other side ended or closed. */
  readonly ended: boolean
  /** Of the final responses, in order. */
  readonly statuses: readonly number[]
}

export interface RawOptions {
  /** Closes our half once all is written. */
  readonly ends?: boolean
  /** Enough came: ours to close. Without it the other side must close. */
  readonly until?: (text: string) => boolean
  readonly timeoutMs?: number
}

/** Writes `pieces` one after the other, each in a packet of its own as far as that can be had, and reads what comes. */
export async function sendRaw(
  port: number,
  pieces: string | readonly string[],
  options: RawOptions = {},
): Promise<RawOutcome> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true })
  let text = ''
  let ended = false
  const done = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, options.timeoutMs ?? 10_000)
    socket.on('data', (bytes: Buffer) => {
      text += bytes.latin1Slice(0, bytes.length)
      if (options.until?.(text) === true) resolve()
    })
    socket.on('end', () => {
      ended = true
      resolve()
    })
    socket.on('error', () => {
      ended = true
      resolve()
    })
    socket.on('close', () => resolve())
    void timer.unref()
  })
  const all = typeof pieces === 'string' ? [pieces] : pieces
  for (const piece of all) {
    if (socket.destroyed || !socket.writable) break
    await new Promise<void>((resolve) => socket.write(piece, 'latin1', () => resolve()))
    if (all.length > 1) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  if (options.ends === true) socket.end()
  await done
  socket.destroy()
  return { text, ended, statuses: statusesOf(text) }
}

/** Status lines at the beginning of a response; interim ones left out. */
function statusesOf(text: string): number[] {
  const found = [...text.matchAll(/HTTP\/1\.1 ([2-5][0-9]{2}) [^\r\n]*\r\n/g)]
  return found.map((match) => Number(match[1]))
}

/** A request as the recorder understood it. */
export interface RecordedRequest {
  readonly line: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly body: string
  readonly trailers: string
}

export interface Recorder {
  readonly port: number
  /** All octets of all connections so far. */
  readonly text: () => string
  readonly requests: RecordedRequest[]
  /** What no strict reader could make sense of. */
  readonly faults: string[]
  readonly connections: () => number
  /** Octets of requests that are not complete. */
  readonly unfinished: () => string
  reset(): void
  close(): void
}

/** What the recorder answers with; `undefined` for nothing. */
export type AnswerOf = (request: RecordedRequest, socket: net.Socket) => string | undefined

export const okAnswer = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'

/** A server that takes requests apart as RFC 9112 says, and nothing else: what is doubtful is a fault. */
export async function startRecorder(answerOf: AnswerOf = () => okAnswer): Promise<Recorder> {
  let all = ''
  let connections = 0
  const requests: RecordedRequest[] = []
  const faults: string[] = []
  const open = new Map<net.Socket, string>()
  const server = net.createServer({ noDelay: true }, (socket) => {
    connections++
    open.set(socket, '')
    socket.on('error', () => {})
    socket.on('close', () => open.delete(socket))
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.latin1Slice(0, bytes.length)
      all += text
      let rest = (open.get(socket) ?? '') + text
      for (;;) {
        const read = readRequest(rest)
        if (typeof read === 'string') {
          faults.push(`${read}: ${JSON.stringify(rest.slice(0, 200))}`)
          rest = ''
          break
        }
        if (read === undefined) break
        rest = rest.slice(read.length)
        requests.push(read.request)
        const answer = answerOf(read.request, socket)
        if (answer !== undefined && !socket.destroyed) socket.write(answer, 'latin1')
      }
      open.set(socket, rest)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    text: () => all,
    requests,
    faults,
    connections: () => connections,
    unfinished: () => [...open.values()].join(''),
    reset: () => {
      all = ''
      requests.length = 0
      faults.length = 0
    },
    close: () => {
      for (const socket of open.keys()) socket.destroy()
      server.close()
    },
  }
}

interface Read {
  readonly request: RecordedRequest
  readonly length: number
}

/** Undefined: more has to come. A text: why this is no request. */
function readRequest(text: string): Read | string | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [line, ...rest] = text.slice(0, headEnd).split('\r\n')
  if (!/^[!-~]+ [!-~]+ HTTP\/1\.1$/.test(line!)) return 'not a request line'
  const fields: (readonly [string, string])[] = []
  for (const field of rest) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([^\0\r\n]*)$/.exec(field)
    if (match === null) return `not a field: ${JSON.stringify(field)}`
    fields.push([match[1]!.toLowerCase(), match[2]!])
  }
  const lengths = fields.filter(([name]) => name === 'content-length')
  const codings = fields.filter(([name]) => name === 'transfer-encoding')
  if (lengths.length + codings.length > 1) return 'more than one framing'
  if (fields.filter(([name]) => name === 'host').length !== 1) return 'not one host'
  const bodyStart = headEnd + 4
  const made = (body: string, trailers: string, length: number): Read => ({
    request: { line: line!, fields, body, trailers },
    length,
  })
  if (codings.length === 1) {
    if (codings[0]![1] !== 'chunked') return 'a coding other than chunked'
    return readChunked(text, bodyStart, made)
  }
  if (lengths.length === 1) {
    if (!/^(0|[1-9][0-9]*)$/.test(lengths[0]![1])) return 'not a plain length'
    const end = bodyStart + Number(lengths[0]![1])
    return text.length < end ? undefined : made(text.slice(bodyStart, end), '', end)
  }
  return made('', '', bodyStart)
}

function readChunked(
  text: string,
  start: number,
  made: (body: string, trailers: string, length: number) => Read,
): Read | string | undefined {
  let at = start
  let body = ''
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = text.slice(at, lineEnd)
    if (!/^[0-9a-f]+$/.test(size)) return `not a plain chunk size: ${JSON.stringify(size)}`
    at = lineEnd + 2
    const bytes = Number.parseInt(size, 16)
    if (bytes === 0) break
    if (text.length < at + bytes + 2) return undefined
    if (text.slice(at + bytes, at + bytes + 2) !== '\r\n') return 'a chunk of another size than it says'
    body += text.slice(at, at + bytes)
    at += bytes + 2
  }
  if (text.startsWith('\r\n', at)) return made(body, '', at + 2)
  const end = text.indexOf('\r\n\r\n', at)
  return end === -1 ? undefined : made(body, text.slice(at, end), end + 4)
}
