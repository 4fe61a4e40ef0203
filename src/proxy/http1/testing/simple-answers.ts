/** The least that can be asked and answered, and the octets of it. */
import type { Responder } from '../../http/index.ts'
import { responseHead } from '../../http/testing/response-head.ts'
import { RecordingHandler } from './recording.ts'

export const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

export function answer(responder: Responder, text: string): void {
  responder.sendHead(responseHead(200, ['x', 'y'], text.length), false)
  responder.sendData(Buffer.from(text))
  responder.sendEnd()
}

/** A handler that answers everything with `text`. */
export const ok = (text: string) => new RecordingHandler(({ responder }) => answer(responder, text))

/** What a client reads of {@link answer}; `extra`: lines at the end of the head. */
export const okText = (text: string, extra = ''): string =>
  `HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: ${text.length}\r\n${extra}\r\n${text}`
