/** Writes response heads, and remembers the octets of those that come again as the same `Fields` object. */
import type { Fields } from '../http/index.ts'
import { statusLine } from './reason-phrases.ts'
import { type Refusal, refusals } from './refusal.ts'
import type { TurnOutput } from './turn-output.ts'

/** What a head says besides its fields. */
export const HeadOption = { close: 1, keepAlive: 2, chunked: 4 } as const
/** No `content-length`. */
export const noLength = -1

interface EncodedHead {
  fields: Fields
  status: number
  length: number
  options: number
  bytes: Buffer
}

/** Heads remembered by one downstream: as many as routes are likely to be busy at the same time. */
const rememberedMax = 8

export class ResponseEncoder {
  private readonly remembered: EncodedHead[] = []
  private nextSlot = 0
  /** The last head that was not remembered: one that comes twice in a row or so is worth it. */
  private candidate: Fields | undefined

  /** Appends a head; with `isWhole` nothing follows it. Returns its size. */
  write(output: TurnOutput, status: number, fields: Fields, length: number, options: number, isWhole: boolean): number {
    for (const head of this.remembered) {
      if (head.fields === fields && head.status === status && head.length === length && head.options === options) {
        if (isWhole && !output.hasGathered) output.send(head.bytes)
        else output.append(head.bytes)
        return head.bytes.length
      }
    }
    const text = responseHeadText(status, fields, length, options)
    if (this.candidate === fields) this.remember(fields, status, length, options, text)
    else this.candidate = fields
    output.appendText(text)
    return text.length
  }

  private remember(fields: Fields, status: number, length: number, options: number, text: string): void {
    this.remembered[this.nextSlot] = { fields, status, length, options, bytes: Buffer.from(text, 'latin1') }
    this.nextSlot = (this.nextSlot + 1) % rememberedMax
  }
}

/** RFC 9112 §4; framing fields by §6, connection options by RFC 9110 §7.6.1. */
function responseHeadText(status: number, fields: Fields, length: number, options: number): string {
  let text = statusLine(status)
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  if ((options & HeadOption.chunked) !== 0) text += 'transfer-encoding: chunked\r\n'
  else if (length !== noLength) text += `content-length: ${length}\r\n`
  if ((options & HeadOption.close) !== 0) text += 'connection: close\r\n'
  else if ((options & HeadOption.keepAlive) !== 0) text += 'connection: keep-alive\r\n'
  return `${text}\r\n`
}

/** The answer to what is no request, if any: what was wrong with it, and the end of the connection. */
export function writeRefusal(output: TurnOutput, refusal: Refusal): void {
  if (refusal === refusals.otherProtocol) return
  const body = `${refusal.reason}\n`
  const { status } = refusal
  output.appendText(responseHeadText(status, ['content-type', 'text/plain'], body.length, HeadOption.close) + body)
}

/** An interim response, or with `upgrade` the 101 that begins another protocol (RFC 9110 §7.8). */
export function interimHeadText(status: number, fields: Fields, upgrade: string | undefined): string {
  let text = statusLine(status)
  for (let i = 0; i < fields.length; i += 2) text += `${fields[i]}: ${fields[i + 1]}\r\n`
  if (upgrade !== undefined) text += `connection: upgrade\r\nupgrade: ${upgrade}\r\n`
  return `${text}\r\n`
}

/** The last chunk, trailers, and the end of a chunked body (RFC 9112 §7.1). */
export function chunkedEndText(trailers: Fields | undefined): string {
  if (trailers === undefined || trailers.length === 0) return '0\r\n\r\n'
  let text = '0\r\n'
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`
  return `${text}\r\n`
}
