// gRPC calls to one member over Node's own HTTP/2, for tests that kill it: every call ends, in a value and never in a
// throw, and the channel dials again by itself.
import { type ClientHttp2Session, connect } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'

/** How a call ended. `unsent`: it never left this process, so nothing can have come of it. */
export type Reply =
  | { readonly kind: 'ok'; readonly message: Buffer }
  | { readonly kind: 'failed'; readonly status: number; readonly text: string }
  | { readonly kind: 'broken'; readonly unsent: boolean; readonly text: string }

/** After a failed dial, this long passes before the next. */
const redialMs = 2

/** A connection to one member, shared by any number of calls at a time. */
export class Channel {
  readonly endpoint: string
  #session: Promise<ClientHttp2Session | undefined> | undefined
  #closed = false

  /** `endpoint` is `host:port`. */
  constructor(endpoint: string) {
    this.endpoint = endpoint
  }

  /** Sends one request and waits for its one answer, for at most `timeoutMs`. */
  async call(path: string, request: Uint8Array, timeoutMs: number): Promise<Reply> {
    const session = await this.#open(timeoutMs)
    if (session === undefined || session.destroyed || session.closed) {
      await delay(redialMs)
      return { kind: 'broken', unsent: true, text: 'cannot connect' }
    }
    return new Promise((resolve) => {
      const frame = Buffer.alloc(5 + request.length)
      frame.writeUInt32BE(request.length, 1)
      frame.set(request, 5)
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
      })
      const chunks: Buffer[] = []
      let status: number | undefined
      let text = ''
      const end = (reply: Reply): void => {
        clearTimeout(timer)
        resolve(reply)
      }
      const timer = setTimeout(() => {
        end({ kind: 'broken', unsent: false, text: `no answer in ${timeoutMs} ms` })
        stream.close()
      }, timeoutMs)
      const note = (headers: Readonly<Record<string, unknown>>): void => {
        if (headers['grpc-status'] === undefined) return
        status = Number(headers['grpc-status'])
        text = decodeURIComponent(String(headers['grpc-message'] ?? ''))
      }
      stream.on('response', note)
      stream.on('trailers', note)
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', () => {})
      stream.on('close', () => {
        if (status === undefined) end({ kind: 'broken', unsent: false, text: 'the connection broke' })
        else if (status !== 0) end({ kind: 'failed', status, text })
        else end({ kind: 'ok', message: Buffer.concat(chunks).subarray(5) })
      })
      stream.end(frame)
    })
  }

  close(): void {
    this.#closed = true
    this.#session?.then((session) => session?.destroy())
  }

  #open(timeoutMs: number): Promise<ClientHttp2Session | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    this.#session ??= new Promise((resolve) => {
      const session = connect(`http://${this.endpoint}`)
      session.setMaxListeners(0)
      const forget = (): void => {
        this.#session = undefined
        clearTimeout(timer)
        resolve(undefined)
      }
      const timer = setTimeout(() => session.destroy(), timeoutMs)
      session.once('remoteSettings', () => {
        clearTimeout(timer)
        resolve(session)
      })
      session.on('error', forget)
      session.on('close', forget)
    })
    return this.#session
  }
}
