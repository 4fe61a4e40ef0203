/** Writes request heads, and remembers the octets of those that come again with the same `Fields` object. */
import type { OutgoingRequest } from '../http/index.ts'
import type { TurnOutput } from './turn-output.ts'

interface EncodedRequest {
  readonly request: OutgoingRequest
  readonly bytes: Buffer
}

const rememberedMax = 8

export class RequestEncoder {
  private readonly remembered: EncodedRequest[] = []
  private nextSlot = 0
  /** The last head that was not remembered. */
  private candidate: OutgoingRequest | undefined

  /** Appends a head, or sends it where it is the whole request. */
  write(output: TurnOutput, request: OutgoingRequest): void {
    const isWhole = request.bodyLength === 0
    for (const known of this.remembered) {
      if (isSameHead(known.request, request)) {
        if (isWhole) output.send(known.bytes)
        else output.append(known.bytes)
        return
      }
    }
    const text = requestHeadText(request)
    if (this.candidate !== undefined && isSameHead(this.candidate, request)) {
      this.remembered[this.nextSlot] = { request, bytes: Buffer.from(text, 'latin1') }
      this.nextSlot = (this.nextSlot + 1) % rememberedMax
    } else this.candidate = request
    output.appendText(text)
    if (isWhole) output.flush()
  }
}

/** Fields are compared by identity; the rest is few. */
function isSameHead(a: OutgoingRequest, b: OutgoingRequest): boolean {
  if (a === b) return true
  return (
    a.fields === b.fields &&
    a.target === b.target &&
    a.method === b.method &&
    a.authority === b.authority &&
    a.bodyLength === b.bodyLength &&
    a.upgrade === b.upgrade &&
    a.expectsContinue === b.expectsContinue
  )
}

/** Methods whose requests say that they have no body (RFC 9110 §8.6); others are not expected to have one. */
const bodyMethods: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** RFC 9112 §3. */
function requestHeadText(request: OutgoingRequest): string {
  const { method, fields, bodyLength, upgrade } = request
  let text = `${method} ${request.target} HTTP/1.1\r\nhost: ${request.authority}\r\n`
  let hasTe = false
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] === 'te') hasTe = true
    text += `${fields[i]}: ${fields[i + 1]}\r\n`
  }
  if (bodyLength === 'unknown') text += 'transfer-encoding: chunked\r\n'
  else if (bodyLength > 0 || bodyMethods.has(method)) text += `content-length: ${bodyLength}\r\n`
  if (request.expectsContinue && bodyLength !== 0) text += 'expect: 100-continue\r\n'
  if (upgrade !== undefined) text += `connection: upgrade${hasTe ? ', te' : ''}\r\nupgrade: ${upgrade}\r\n`
  else if (hasTe) text += 'connection: te\r\n'
  return `${text}\r\n`
}
