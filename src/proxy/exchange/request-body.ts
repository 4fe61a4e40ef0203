/**
 * The body of a request as far as it came, kept for another attempt.
 *
 * - B1  While `isWhole`, `chunks` are all bytes that came, at most `bytesMax`.
 */
import { PieceGatherer } from '../../base/index.ts'
import type { Fields, UpstreamCall } from '../http/index.ts'

export class RequestBody {
  bytes = 0
  hasEnded: boolean
  private trailers: Fields | undefined
  private chunks: Uint8Array[] | undefined
  private gatherer: PieceGatherer | undefined
  private readonly bytesMax: number

  /** `bytesMax`: bodies up to this size are kept. */
  constructor(hasEnded: boolean, bytesMax: number) {
    this.hasEnded = hasEnded
    this.bytesMax = bytesMax
  }

  /** Whether another attempt can be given everything. */
  get isWhole(): boolean {
    return this.bytes === 0 || this.chunks !== undefined
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const wasWhole = this.isWhole
    this.bytes += bytes.length
    if (!wasWhole) return
    if (this.bytes > this.bytesMax) {
      this.chunks = undefined
      return
    }
    if (this.chunks === undefined) this.chunks = [bytes]
    else {
      this.gatherer ??= new PieceGatherer()
      this.gatherer.append(this.chunks, bytes)
    }
  }

  end(trailers: Fields | undefined): void {
    this.hasEnded = true
    this.trailers = trailers
  }

  /** No attempt will follow. */
  forget(): void {
    this.chunks = undefined
  }

  /** Writes what came so far. Whether the call wants more now. */
  replay(call: UpstreamCall): boolean {
    let wantsMore = true
    if (this.chunks !== undefined) for (const chunk of this.chunks) wantsMore = call.write(chunk)
    if (this.hasEnded) call.end(this.trailers)
    return wantsMore
  }
}
