/**
 * One client's connection: reads requests one after the other, hands each to the handler, and lives on or closes as both
 * sides wish. Made by `Http1Downstream`, driven by the transport's events and by its exchanges.
 *
 * - I1  `phase` says who has the word. Only in `head` is a new request begun, so responses leave in order.
 * - I2  `input` is what came and waits: the beginning of a head, or requests sent ahead. It grows to about
 *       `waitingBytesMax` during an exchange, and to the largest head otherwise; then reading stops or the head is refused.
 * - I3  `consumer` is set from `onRequest` until the exchange is over; nothing is told to it afterwards.
 * - I4  No input makes a method throw; each thing that can be wrong has its `Refusal`.
 * - I5  `serve` does not run inside itself: an answer given at once is followed by the loop, not by recursion.
 */
import { asBuffer } from '../../base/index.ts'
import { type Connection, resetConnection } from '../../runtime/index.ts'
import type { ServedConnection } from '../../wire/http2/index.ts'
import type { ClientInfo, Fields, RequestConsumer } from '../http/index.ts'
import type { BodySink } from './chunked-decoder.ts'
import { goodbyeMs, type Http1Downstream, ticksOf } from './downstream.ts'
import { lingerBytesMax, lingerMs, Phase } from './downstream-phase.ts'
import { incomplete } from './head-end.ts'
import { IncomingBody } from './incoming-body.ts'
import { type Refusal, refusals } from './refusal.ts'
import type { ParsedRequestHead } from './request-head.ts'
import { RequestReader } from './request-reader.ts'
import { type ResponseEncoder, writeRefusal } from './response-encoder.ts'
import { type ExchangeConnection, ServerExchange } from './server-exchange.ts'
import { StallWatch } from './stall-watch.ts'
import { TurnOutput } from './turn-output.ts'

/** Requests sent ahead of their turn: past this much, reading stops until the turn comes. */
const waitingBytesMax = 16 << 10
/** The rest of a body that is still read, and dropped, after its request was answered; past it the connection closes. */
const discardedBytesMax = 64 << 10

export class DownstreamConnection implements ServedConnection, ExchangeConnection, BodySink {
  readonly client: ClientInfo
  readonly output: TurnOutput
  private readonly connection: Connection
  private readonly owner: Http1Downstream
  private phase = Phase.head
  private input: Buffer | undefined
  private exchange: ServerExchange | undefined
  private consumer: RequestConsumer | undefined
  /** Told `onFinished` once everything of its response is with the operating system. */
  private finishing: RequestConsumer | undefined
  /** Set while the request's body is not read to its end. */
  private body: IncomingBody | undefined
  /** Octets dropped while discarding or lingering. */
  private droppedBytes = 0
  private requests = 0
  /** Counted in the owner's `busyConnections`. */
  private isBusy = false
  private isServing = false
  private isBodyPaused = false
  private isInputFull = false
  private clientEnded = false
  private weEnded = false
  private isDraining = false
  private drainTick = 0
  /** When what is waited for began, or last made progress. */
  private sinceTick: number
  /** Set once something was queued at a sweep. */
  private stallWatch: StallWatch | undefined
  /** Dropped while the connection is idle. */
  private reader: RequestReader | undefined

  constructor(connection: Connection, client: ClientInfo, owner: Http1Downstream) {
    this.connection = connection
    this.client = client
    this.owner = owner
    this.output = new TurnOutput(connection, owner.flusher)
    this.sinceTick = owner.tick
  }

  get encoder(): ResponseEncoder {
    return this.owner.encoder
  }

  get wantsBody(): boolean {
    return this.phase === Phase.exchange || this.phase === Phase.discarding
  }

  onData(bytes: Uint8Array): void {
    const { input, phase } = this
    if (phase === Phase.head || (this.body !== undefined && this.wantsBody)) {
      if (input === undefined) {
        this.sinceTick = this.owner.tick
        this.serve(asBuffer(bytes))
      } else {
        this.input = undefined
        this.serve(Buffer.concat([input, bytes]))
      }
    } else if (phase === Phase.exchange) {
      this.wait(input === undefined ? asBuffer(bytes) : Buffer.concat([input, bytes]))
    } else if (phase === Phase.upgraded) {
      if (input === undefined) this.consumer?.onData(bytes)
      else this.input = Buffer.concat([input, bytes])
    } else if (phase === Phase.lingering) {
      this.droppedBytes += bytes.length
      if (this.droppedBytes > lingerBytesMax) this.connection.destroy()
    }
  }

  onEnd(): void {
    this.clientEnded = true
    switch (this.phase) {
      case Phase.head:
        if (this.input === undefined) this.linger()
        else if (!this.output.isBlocked) this.refuse(refusals.incompleteRequest)
        return
      case Phase.exchange:
        // A client may close its half and wait for the answer (RFC 9112 §9.6 speaks of both ends), but not within a body.
        if (this.body !== undefined) this.drop('the client ended the connection within the body of its request')
        return
      case Phase.upgraded:
        // What waits for the end of the turn comes first.
        if (this.input === undefined) this.tellUpgradedEnd()
        return
      case Phase.discarding:
        this.linger()
        return
      default:
    }
  }

  onDrain(): void {
    this.output.drained()
    this.settle(false)
    const { exchange } = this
    if (exchange?.needsDrain && this.consumer !== undefined) {
      exchange.needsDrain = false
      this.consumer.onDrain()
    } else if (this.phase === Phase.head) this.serveWaiting()
  }

  onClose(): void {
    this.settle(false)
    const { finishing, phase } = this
    this.finishing = undefined
    finishing?.onAborted('the client closed the connection before it had taken the whole response')
    if (phase === Phase.exchange || phase === Phase.upgraded) this.abortExchange('the client closed the connection')
    this.phase = Phase.gone
    this.input = undefined
    this.owner.closed(this)
  }

  shutdown(drainMs: number): void {
    this.isDraining = true
    this.drainTick = this.owner.tick + ticksOf(drainMs)
    if (this.phase !== Phase.head || this.input !== undefined) return
    if (drainMs < goodbyeMs) this.linger()
    else this.sinceTick = this.owner.tick
  }

  /** Checks the time limits. */
  sweep(): void {
    const { phase, owner } = this
    if (this.finishing !== undefined) this.settle(false)
    if (this.isDraining && owner.tick >= this.drainTick && phase !== Phase.gone) {
      this.drop('the time to finish before the stop was over')
      return
    }
    if (phase === Phase.head) this.sweepHead()
    else if (phase === Phase.exchange || phase === Phase.discarding) this.sweepExchange()
    else if (phase === Phase.lingering) this.sweepLingering()
  }

  // What the exchange asks for.

  mayKeepAlive(exchange: ServerExchange): boolean {
    const { requestsPerConnectionMax } = this.owner.limits
    if (!exchange.head.keepAlive || this.isDraining) return false
    if (requestsPerConnectionMax > 0 && this.requests >= requestsPerConnectionMax) return false
    if (this.body === undefined || this.body.isDone) return true
    // Who waits for a 100 may never send the body; a long rest is not worth its transfer.
    if (exchange.head.expectsContinue && !exchange.isContinued) return false
    return this.body.endsWithin(discardedBytesMax)
  }

  informed(status: number): void {
    if (status === 100) this.sinceTick = this.owner.tick
  }

  upgraded(): void {
    this.phase = Phase.upgraded
    // Not within the handler's own call, which may not be ready for it.
    if (this.input !== undefined) this.owner.scheduler.endOfTurn(() => this.deliverUpgraded())
    this.updateReading()
  }

  upgradeEnded(): void {
    if (this.weEnded) return
    this.weEnded = true
    this.output.flush()
    this.connection.end()
    if (this.clientEnded) this.finishUpgraded()
  }

  responseEnded(exchange: ServerExchange): void {
    this.finishing = this.consumer
    this.consumer = undefined
    this.exchange = undefined
    this.leaveExchange()
    this.isBodyPaused = false
    if (!exchange.keepsAlive || (this.isDraining && this.input === undefined)) {
      this.linger()
      this.settle(false)
      return
    }
    this.phase = this.body === undefined ? Phase.head : Phase.discarding
    this.droppedBytes = 0
    this.sinceTick = this.owner.tick
    if (this.isServing) return
    // With requests waiting, their answers may travel together.
    if (this.input === undefined || this.phase === Phase.discarding) {
      this.output.flush()
      this.settle(false)
      this.updateReading()
      if (this.clientEnded && this.phase === Phase.head) this.linger()
    } else this.serveWaiting()
  }

  givenUp(endsByClose: boolean): void {
    this.consumer = undefined
    this.exchange = undefined
    this.leaveExchange()
    this.phase = Phase.gone
    if (endsByClose) resetConnection(this.connection)
    else this.connection.destroy()
  }

  pauseBody(): void {
    this.isBodyPaused = true
    this.updateReading()
  }

  resumeBody(): void {
    this.isBodyPaused = false
    this.sinceTick = this.owner.tick
    this.updateReading()
  }

  // Reading.

  /** Serves what `input` holds, as far as it goes. */
  private serve(input: Buffer): void {
    let at = 0
    this.isServing = true
    while (at < input.length) {
      if (this.phase === Phase.head) {
        const next = this.output.isBlocked ? incomplete : this.readHead(input, at)
        if (next === incomplete) break
        at = next
      } else if (this.body !== undefined && this.wantsBody) at = this.readBody(input, at)
      else break
    }
    this.isServing = false
    if (at < input.length) this.wait(at === 0 ? input : input.subarray(at))
    else if (this.isInputFull) this.updateReading()
    if (this.phase === Phase.head || this.phase === Phase.discarding) this.output.flush()
    if (this.finishing !== undefined) this.settle(false)
    if (this.phase === Phase.head && this.clientEnded && !this.output.isBlocked) {
      this.endAfterLastRequest()
    }
  }

  private serveWaiting(): void {
    const { input } = this
    if (input !== undefined && !this.isServing) {
      this.input = undefined
      this.serve(input)
    }
  }

  /** Keeps `input` until it can be served. */
  private wait(input: Buffer): void {
    const { phase } = this
    if (phase === Phase.lingering || phase === Phase.gone) return
    this.input = input
    if (phase === Phase.upgraded) this.owner.scheduler.endOfTurn(() => this.deliverUpgraded())
    this.updateReading()
  }

  /** Reads a head and hands the request on. Returns where it ends, or `incomplete`, also after a refusal. */
  private readHead(input: Buffer, start: number): number {
    this.reader ??= new RequestReader()
    const { reader } = this
    const head = reader.read(input, start, this.client.tls === undefined ? 'http' : 'https', this.owner.limits)
    if (head === undefined) return incomplete
    if ('reason' in head) {
      this.refuse(head)
      return incomplete
    }
    const { end } = reader
    this.begin(head)
    return end
  }

  private begin(head: ParsedRequestHead): void {
    const { owner } = this
    if (this.finishing !== undefined) this.settle(true)
    this.requests++
    owner.busyConnections++
    this.isBusy = true
    this.phase = Phase.exchange
    this.sinceTick = owner.tick
    this.body = head.bodyLength === 0 ? undefined : new IncomingBody(head.bodyLength)
    const exchange = new ServerExchange(this, head)
    this.exchange = exchange
    const consumer = owner.handler.onRequest(head, exchange)
    if (!exchange.isOver) this.consumer = consumer
    // Answered at once. When it was given up instead the phase is `gone`, and nothing is told.
    else if (this.phase !== Phase.gone) this.finishing = consumer
  }

  private readBody(input: Buffer, at: number): number {
    const body = this.body!
    const result = body.read(input, at, this)
    if (typeof result !== 'number') {
      this.breakOff(result)
      return input.length
    }
    if (body.isDone && this.wantsBody) this.bodyEnded(body.trailers)
    return result
  }

  onBody(bytes: Uint8Array): void {
    this.sinceTick = this.owner.tick
    if (this.consumer !== undefined) {
      this.consumer.onData(bytes)
      return
    }
    this.droppedBytes += bytes.length
    if (this.phase === Phase.discarding && this.droppedBytes > discardedBytesMax) this.linger()
  }

  private bodyEnded(trailers: Fields | undefined): void {
    this.body = undefined
    if (this.phase === Phase.discarding) this.phase = Phase.head
    else this.consumer?.onEnd(trailers)
  }

  private updateReading(): void {
    const { phase, input } = this
    const isFull = phase === Phase.exchange && input !== undefined && input.length > waitingBytesMax
    const isBlockedHead = phase === Phase.head && input !== undefined && this.output.isBlocked
    const isPaused = this.isBodyPaused && (phase === Phase.exchange || phase === Phase.upgraded)
    const stops = isFull || isBlockedHead || isPaused
    if (stops === this.isInputFull) return
    this.isInputFull = stops
    if (stops) this.connection.pause()
    else this.connection.resume()
  }

  // Ends.

  /** The end of the client's half was seen while requests waited, and they are served now. */
  private endAfterLastRequest(): void {
    if (this.input === undefined) this.linger()
    else this.refuse(refusals.incompleteRequest)
  }

  /** Answers what is no request, and closes. */
  private refuse(refusal: Refusal): void {
    this.owner.handler.onRefused(this.client, refusal.status, refusal.reason)
    writeRefusal(this.output, refusal)
    this.linger()
  }

  /** The body of the request under way is malformed, or late. */
  private breakOff(refusal: Refusal): void {
    const isUnanswered = this.exchange?.isUnanswered === true
    const wasDiscarding = this.phase === Phase.discarding
    this.abortExchange(refusal.reason)
    if (isUnanswered) writeRefusal(this.output, refusal)
    if (isUnanswered || wasDiscarding) this.linger()
    else this.connection.destroy()
  }

  /** Closes our half once all is sent, and waits for the client to close its own, so that it reads what was sent. */
  private linger(): void {
    this.phase = Phase.lingering
    this.input = undefined
    this.body = undefined
    this.reader = undefined
    this.droppedBytes = 0
    this.sinceTick = this.owner.tick
    this.isBodyPaused = false
    this.updateReading()
    this.output.flush()
    this.connection.end()
  }

  private drop(reason: string): void {
    this.abortExchange(reason)
    this.connection.destroy()
  }

  private abortExchange(reason: string): void {
    const { consumer } = this
    this.exchange?.close()
    this.exchange = undefined
    this.consumer = undefined
    this.leaveExchange()
    this.phase = Phase.gone
    consumer?.onAborted(reason)
  }

  /** Stops counting as busy. */
  private leaveExchange(): void {
    if (!this.isBusy) return
    this.isBusy = false
    this.owner.busyConnections--
  }

  /** Tells the last exchange that it is over once that is so; with `force` in any case, since the next begins. */
  private settle(force: boolean): void {
    const { finishing } = this
    if (finishing === undefined) return
    if (!force && (this.output.hasGathered || this.connection.queuedBytes > 0)) return
    this.finishing = undefined
    finishing.onFinished()
  }

  // Another protocol.

  private deliverUpgraded(): void {
    const { input } = this
    if (input === undefined || this.phase !== Phase.upgraded) return
    this.input = undefined
    this.consumer?.onData(input)
    if (this.clientEnded) this.tellUpgradedEnd()
  }

  private tellUpgradedEnd(): void {
    this.consumer?.onEnd(undefined)
    if (this.weEnded) this.finishUpgraded()
  }

  private finishUpgraded(): void {
    const { consumer } = this
    if (this.phase !== Phase.upgraded) return
    this.exchange?.close()
    this.exchange = undefined
    this.consumer = undefined
    this.leaveExchange()
    this.phase = Phase.lingering
    this.sinceTick = this.owner.tick
    this.finishing = consumer
    this.settle(false)
  }

  private sweepHead(): void {
    // The last response is not taken yet: however little is left of it, that is the client's turn, and no idleness.
    if (this.output.isBlocked || this.finishing !== undefined) {
      if (this.isTakingTooLong()) this.connection.destroy()
    } else if (this.input !== undefined) {
      if (this.isOver(this.owner.limits.headTimeoutMs)) this.refuse(refusals.headTimeout)
    } else if (this.isOver(this.owner.idleMsMax(this.isDraining))) this.linger()
    // An idle connection keeps nothing of its last request.
    else if (this.owner.tick - this.sinceTick > 1) this.reader = undefined
  }

  private sweepLingering(): void {
    if (this.isTakingTooLong() || (this.connection.queuedBytes === 0 && this.isOver(lingerMs)))
      this.connection.destroy()
  }

  private sweepExchange(): void {
    if (this.isTakingTooLong()) {
      this.drop('the client did not take the response in time')
      return
    }
    if (this.body === undefined || this.isInputFull) return
    const { exchange } = this
    // Who was told to wait is not late.
    if (exchange?.head.expectsContinue && !exchange.isContinued) return
    if (this.isOver(this.owner.limits.bodyIdleTimeoutMs)) this.breakOff(refusals.bodyTimeout)
  }

  /** Whether `ms` have gone by since `sinceTick`. */
  private isOver(ms: number): boolean {
    return this.owner.tick - this.sinceTick >= ticksOf(ms)
  }

  /** Whether the client has taken nothing of what is queued for too long. */
  private isTakingTooLong(): boolean {
    const { queuedBytes } = this.connection
    if (queuedBytes === 0) {
      this.stallWatch = undefined
      return false
    }
    const { tick, limits } = this.owner
    this.stallWatch ??= new StallWatch()
    return this.stallWatch.isStalled(queuedBytes, tick, ticksOf(limits.bodyIdleTimeoutMs))
  }
}
