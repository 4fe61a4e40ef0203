import type { BufferBudget } from '../http2/index.ts'
import type { Http2ClientConnection } from '../http2-client/index.ts'
import type { ChannelSettings } from './options.ts'
import { RequestTemplates } from './request-templates.ts'

/** What calls need of the connection that they are on. */
export class ChannelConnection {
  readonly http2: Http2ClientConnection
  readonly templates: RequestTemplates
  /** What unfinished messages hold together. */
  readonly budget: BufferBudget

  constructor(http2: Http2ClientConnection, settings: ChannelSettings) {
    this.http2 = http2
    this.templates = new RequestTemplates(http2.encoder, settings)
    let heldBytes = 0
    this.budget = {
      claim: (byteLength) => {
        if (heldBytes + byteLength > settings.bufferedBytesMax) return false
        heldBytes += byteLength
        return true
      },
      release: (byteLength) => {
        heldBytes -= byteLength
      },
    }
  }
}
