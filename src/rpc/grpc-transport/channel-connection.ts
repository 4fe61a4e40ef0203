import type { BufferBudget } from '../../wire/http2/index.ts'
import type { Http2ClientConnection } from '../../wire/http2-client/index.ts'
import { type RequestHeadings, RequestTemplates } from './call-templates.ts'

/** What calls need of the connection that they are on. */
export class ChannelConnection {
  readonly http2: Http2ClientConnection
  readonly templates: RequestTemplates
  readonly gzipFromBytes: number | undefined
  /** What unfinished messages of the server hold together, in bytes. */
  readonly budget: BufferBudget

  constructor(http2: Http2ClientConnection, headings: RequestHeadings, bufferedBytesMax: number) {
    this.http2 = http2
    this.gzipFromBytes = headings.gzipFromBytes
    this.templates = new RequestTemplates(http2.encoder, headings)
    let heldBytes = 0
    this.budget = {
      claim: (byteLength) => {
        if (heldBytes + byteLength > bufferedBytesMax) return false
        heldBytes += byteLength
        return true
      },
      release: (byteLength) => {
        heldBytes -= byteLength
      },
    }
  }
}
