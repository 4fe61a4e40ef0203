/**
 * The body of a request as far as it came, kept for another attempt.
 *
 * - B1  While `isWhole`, `chunks` are all bytes that came, at most `bytesMax`.
 * - B2  The ledger counts `bytes` exactly while `chunks` is set. Its owner calls `forget` in the end.
 */
import { PieceGatherer } from '../../base/index.ts'
import type { BufferLedger, Fields, UpstreamCall } from '../http/index.ts'

export class RequestBody {
  bytes = 0
  hasEnded: boolean
  private trailers: Fields | undefined
  private chunks: Uint8Array[] | undefined
  private gatherer: PieceGatherer | undefined
  private readonly bytesMax: number
  private readonly ledger: BufferLedger

  /** `bytesMax`: bodies up to this size are kept, as long as the ledger has room for them. */
  constructor(hasEnded: boolean, bytesMax: number, ledger: BufferLedger) {
    this.hasEnded = hasEnded
    this.bytesMax = bytesMax
    this.ledger = ledger
  }

  /** Whether another attempt can be given everything. */
  get isWhole(): boolean {
    return this.bytes === 0 || this.chunks !== undefined
  }

  add(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const wasWhole = this.isWhole
    const bytesBefore = this.bytes
    this.bytes += bytes.length
    if (!wasWhole) return
    const { ledger } = this
    if (this.bytes > this.bytesMax || !ledger.keepsBodies) {
      if (this.bytes <= this.bytesMax) ledger.bodiesNotKept++
      this.release(bytesBefore)
      return
    }
    ledger.add(bytes.length)
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
    this.release(this.bytes)
  }

  private release(bytes: number): void {
    if (this.chunks === undefined) return
    this.chunks = undefined
    this.ledger.add(-bytes)
  }

  /** Writes what came so far. Whether the call wants more now. */
  replay(call: UpstreamCall): boolean {
    let wantsMore = true
    if (this.chunks !== undefined) for (const chunk of this.chunks) wantsMore = call.write(chunk)
    if (this.hasEnded) call.end(this.trailers)
    return wantsMore
  }
}
