/** The body of the request being read, up to where its framing says that it ends (RFC 9112 §6.3). Made for each body. */
import type { BodyLength, Fields } from '../http/index.ts'
import { type BodySink, ChunkedDecoder } from './chunked-decoder.ts'
import type { Refusal } from './refusal.ts'

export class IncomingBody {
  private readonly chunked: ChunkedDecoder | undefined
  /** Of a body of known length: what is yet to come. */
  private remainingBytes: number

  constructor(length: BodyLength) {
    this.chunked = length === 'unknown' ? new ChunkedDecoder() : undefined
    this.remainingBytes = length === 'unknown' ? 0 : length
  }

  get isDone(): boolean {
    return this.chunked === undefined ? this.remainingBytes === 0 : this.chunked.isDone
  }

  get trailers(): Fields | undefined {
    return this.chunked?.trailers
  }

  /** Whether it is known that at most `bytes` more come. */
  endsWithin(bytes: number): boolean {
    return this.chunked === undefined && this.remainingBytes <= bytes
  }

  /** Hands what `input` holds of the body, from `start`, to `sink`. Returns where it stopped. */
  read(input: Buffer, start: number, sink: BodySink): number | Refusal {
    if (this.chunked !== undefined) return this.chunked.read(input, start, sink)
    const end = Math.min(input.length, start + this.remainingBytes)
    this.remainingBytes -= end - start
    sink.onBody(start === 0 && end === input.length ? input : input.subarray(start, end))
    return end
  }
}
