/**
 * Parses the head of an HTTP/1.1 request (RFC 9112), strictly: one way to read a request is the defence against
 * request smuggling.
 *
 *     method SP origin-form SP "HTTP/1." DIGIT CRLF  *( token ":" OWS value OWS CRLF )  CRLF
 */
import type { Http1Options } from './options.ts'

export interface Http1Head {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly headers: ReadonlyMap<string, string>
  readonly keepAlive: boolean
  readonly expectsContinue: boolean
  /** Length of the body, or `chunked`. */
  readonly body: number | 'chunked'
}

/** The status with which to refuse. */
export type Refusal = number

const requestLine = /^([A-Z]{1,16}) (\/[\x21-\x7e]*) HTTP\/1\.([01])$/
const headerLine =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/

/** Parses `text`, one unit a byte, which ends before the empty line. */
export function parseHead(text: string, options: Http1Options): Http1Head | Refusal {
  const lines = text.split('\r\n')
  const request = requestLine.exec(lines[0]!)
  if (request === null) return / HTTP\/[02-9]\.\d$/.test(lines[0]!) ? 505 : 400
  if (lines.length - 1 > options.headersMax) return 431
  const headers = new Map<string, string>()
  for (let i = 1; i < lines.length; i++) {
    const header = headerLine.exec(lines[i]!)
    if (header === null) return 400
    const name = header[1]!.toLowerCase()
    const earlier = headers.get(name)
    // Two hosts or lengths would be two requests to two readers.
    if (earlier !== undefined && (name === 'host' || name === 'content-length' || name === 'transfer-encoding'))
      return 400
    headers.set(name, earlier === undefined ? header[2]! : `${earlier}, ${header[2]!}`)
  }
  const isHttp11 = request[3] === '1'
  if (isHttp11 && !headers.has('host')) return 400
  const body = bodyOf(headers, isHttp11, options)
  if (body === undefined) return 400
  if (typeof body === 'object') return body.refusal
  const target = request[2]!
  const mark = target.indexOf('?')
  const connection = (headers.get('connection') ?? '').toLowerCase()
  return {
    method: request[1]!,
    path: mark === -1 ? target : target.slice(0, mark),
    query: mark === -1 ? '' : target.slice(mark + 1),
    headers,
    keepAlive: isHttp11 ? !connection.split(/[ ,]+/).includes('close') : connection.includes('keep-alive'),
    expectsContinue: isHttp11 && headers.get('expect')?.toLowerCase() === '100-continue',
    body,
  }
}

/** RFC 9112 §6.3; a request with both lengths is refused, as §6.1 allows. */
function bodyOf(
  headers: ReadonlyMap<string, string>,
  isHttp11: boolean,
  options: Http1Options,
): number | 'chunked' | { readonly refusal: Refusal } | undefined {
  const lengthText = headers.get('content-length')
  const encoding = headers.get('transfer-encoding')
  if (encoding !== undefined) {
    if (lengthText !== undefined || !isHttp11) return undefined
    return encoding.toLowerCase() === 'chunked' ? 'chunked' : { refusal: 501 }
  }
  if (lengthText === undefined) return 0
  if (!/^[0-9]{1,15}$/.test(lengthText)) return undefined
  const length = Number(lengthText)
  return length > options.bodyBytesMax ? { refusal: 413 } : length
}
