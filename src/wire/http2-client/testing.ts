/** A connection whose server is the test: what it wrote, and frames to answer with. Not part of the face. */
import { OutputArena } from '../http2/index.ts'
import { frame, literalBlock, ManualWorld, MemoryConnection, type SeenFrame, settingsFrame } from '../http2/testing.ts'
import type { ClientStream, ResponseReceiver, StreamFailure } from './client-stream.ts'
import { Http2ClientConnection } from './http2-client-connection.ts'
import type { Http2ClientOptions } from './options.ts'
import type { ResponseHead } from './response-head.ts'

const clientPrefaceBytes = 24

/** Notes what a stream's receiver hears. */
export class HeardResponse implements ResponseReceiver {
  readonly heard: string[] = []
  readonly failures: StreamFailure[] = []
  ends = 0
  bodyBytes = 0
  stream: ClientStream | undefined
  consumes = true

  onHead(head: ResponseHead, endStream: boolean): void {
    this.note(`head ${head.status}`, endStream)
  }

  onData(_bytes: Buffer, start: number, end: number, endStream: boolean): void {
    this.bodyBytes += end - start
    if (this.consumes) this.stream?.consumed(end - start)
    this.note(`data ${end - start}`, endStream)
  }

  onTrailers(trailers: ResponseHead): void {
    this.note(`trailers ${trailers.fields.length}`, true)
  }

  onFailed(failure: StreamFailure): void {
    this.failures.push(failure)
    this.note('failed', true)
  }

  private note(what: string, isEnd: boolean): void {
    this.heard.push(what)
    if (isEnd) this.ends++
  }
}

/** One client connection, driven by hand. */
export class ClientWorld {
  readonly world = new ManualWorld()
  readonly transport = new MemoryConnection()
  readonly http2: Http2ClientConnection
  /** What the connection's handler heard. */
  readonly heard: string[] = []

  constructor(options: Partial<Http2ClientOptions> = {}) {
    this.http2 = new Http2ClientConnection({
      connection: this.transport,
      scheduler: this.world,
      clock: this.world,
      arena: new OutputArena(),
      options,
      memorableFields: [['te', 'trailers']],
      handler: {
        onReady: () => this.heard.push('ready'),
        onCanOpen: () => {},
        onDraining: (reason) => this.heard.push(`draining: ${reason}`),
        onClosed: (reason) => this.heard.push(`closed: ${reason}`),
      },
    })
  }

  /** The server's SETTINGS. What the client wrote until then is forgotten. */
  settle(...pairs: readonly (readonly [id: number, value: number])[]): this {
    this.receive(settingsFrame(...pairs))
    this.transport.takeBytes()
    return this
  }

  open(fields: readonly (readonly [string, string])[] = [[':method', 'POST']]): HeardResponse {
    const response = new HeardResponse()
    response.stream = this.http2.open(this.http2.encoder.template(fields), response)
    return response
  }

  receive(...pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.transport.handler!.onData(piece)
    this.world.turn()
  }

  /** The frames written since the last look; the preface, when it is among them, left out. */
  frames(): SeenFrame[] {
    this.world.turn()
    return this.transport.takeFrames()
  }

  /** The preface, and the frames after it. */
  greeting(): { readonly preface: string; readonly frames: Buffer } {
    this.world.turn()
    const bytes = this.transport.takeBytes()
    return {
      preface: bytes.latin1Slice(0, clientPrefaceBytes),
      frames: bytes.subarray(clientPrefaceBytes),
    }
  }
}

/** HEADERS of a response. */
export function responseHeaders(
  streamId: number,
  endStream: boolean,
  fields: readonly (readonly [string, string])[] = [[':status', '200']],
): Buffer {
  return frame(1, 0x4 | (endStream ? 0x1 : 0), streamId, literalBlock(fields))
}
