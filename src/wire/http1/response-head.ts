import { type Http1Response, reasonPhrases } from './messages.ts'

/** The status line and headers of a response whose body has `body` bytes, or is chunked. */
export function encodeResponseHead(response: Http1Response, body: number | 'chunked', keepAlive: boolean): Buffer {
  let text = `HTTP/1.1 ${response.status} ${reasonPhrases[response.status] ?? 'Status'}\r\n`
  for (const [name, value] of Object.entries(response.headers ?? {})) {
    // A line break in a value would begin a header, or a response, of the caller's input.
    text += `${name}: ${value.replace(/[\r\n\0]/g, ' ')}\r\n`
  }
  if (body === 'chunked') text += 'transfer-encoding: chunked\r\n'
  else if (response.status !== 204) text += `content-length: ${body}\r\n`
  if (!keepAlive) text += 'connection: close\r\n'
  return Buffer.from(`${text}\r\n`, 'latin1')
}
