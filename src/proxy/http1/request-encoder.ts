/** Writes request heads, and leaves the octets of those that come again in the request's memo. */
import type { OutgoingRequest } from '../http/index.ts'
import type { TurnOutput } from './turn-output.ts'

/** In the memo of a request that was sent before; without `bytes` it was sent once, which may be all. */
class EncodedRequest {
  /** Whoever copied the request with changes copied the memo too, which is not the copy's. */
  readonly request: OutgoingRequest
  bytes: Buffer | undefined = undefined

  constructor(request: OutgoingRequest) {
    this.request = request
  }
}

/** Appends a head, or sends it where it is the whole request. */
export function writeRequestHead(output: TurnOutput, request: OutgoingRequest): void {
  const isWhole = request.bodyLength === 0
  const { memo } = request
  const known = memo instanceof EncodedRequest && memo.request === request ? memo : undefined
  if (known?.bytes !== undefined) {
    if (isWhole) output.send(known.bytes)
    else output.append(known.bytes)
    return
  }
  const text = requestHeadText(request)
  if (known === undefined) request.memo = new EncodedRequest(request)
  else known.bytes = Buffer.from(text, 'latin1')
  output.appendText(text)
  if (isWhole) output.flush()
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
