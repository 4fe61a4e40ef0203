/**
 * A server: takes calls from its transport, runs them within its bounds, and ends in good order.
 *
 * I1. `open` holds the calls begun and not ended; `openByMethod` counts them by method. What is refused at once never
 *     enters either.
 * I2. A server closes in this order: not serving, deregistered, no more connections, drained, closed.
 */
import type { Registration } from '../../client/index.ts'
import type { Address, Clock, Logger } from '../../runtime/index.ts'
import { CallCounts } from '../metrics/index.ts'
import { type CallContext, type RpcCode, RpcError } from '../service/index.ts'
import type { IncomingCall, ListeningTransport } from '../transport/index.ts'
import type { ImplementedService, ServiceHandler } from './implement.ts'
import type { InterceptedCall, ServerInterceptor } from './options.ts'
import { type CallHost, ServedCall } from './served-call.ts'

/** Calls ended, by method and how. */
export interface MethodCount {
  /** `service/Method`. */
  readonly method: string
  /** `OK`, or the code it failed with. */
  readonly code: RpcCode | 'OK'
  readonly count: number
}

/** A server that listens. */
export interface RpcServer {
  /** With the real port. */
  readonly address: Address
  /** Calls under way. */
  readonly callsOpen: number
  counts(): MethodCount[]
  /** Says how a service does, to health checks; the empty name is the whole server. At first all serve. */
  setHealth(service: string, isServing: boolean): void
  /**
   * Deregisters, lets what is under way end for at most `drainMs` (default 10,000), closes. Clients send their next calls
   * elsewhere: none is lost. Safe to repeat.
   */
  close(options?: { readonly drainMs?: number | undefined }): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface RpcServerInit {
  readonly clock: Clock
  readonly logger: Logger
  readonly services: readonly ImplementedService[]
  readonly interceptors: readonly ServerInterceptor[]
  readonly callsMax: number
  readonly methodCallsMax: Readonly<Record<string, number>>
  readonly statusOf: (code: RpcCode) => number
}

const drainMsDefault = 10_000

export class RunningServer implements RpcServer, CallHost {
  readonly clock: Clock
  private readonly init: RpcServerInit
  private readonly handlers = new Map<string, ReadonlyMap<string, ServiceHandler>>()
  private readonly open = new Set<ServedCall>()
  private readonly openByMethod = new Map<string, number>()
  readonly callCounts = new CallCounts()
  private readonly notServing = new Set<string>()
  private readonly healthListeners = new Set<() => void>()
  private listening: ListeningTransport | undefined = undefined
  private registrations: Registration[] = []
  private closing: Promise<void> | undefined = undefined

  constructor(init: RpcServerInit) {
    this.init = init
    this.clock = init.clock
    for (const { service, handlers } of init.services) this.handlers.set(service.name, handlers)
  }

  get address(): Address {
    if (this.listening === undefined) throw new RpcError('UNAVAILABLE', 'the server does not listen yet')
    return this.listening.address
  }

  get callsOpen(): number {
    return this.open.size
  }

  attach(listening: ListeningTransport): void {
    this.listening = listening
  }

  registered(registration: Registration): void {
    this.registrations.push(registration)
  }

  counts(): MethodCount[] {
    const rows: MethodCount[] = []
    for (const { service, method, codes } of this.callCounts.methods)
      for (const [code, count] of codes) rows.push({ method: `${service}/${method}`, code, count })
    return rows
  }

  setHealth(service: string, isServing: boolean): void {
    if (isServing) this.notServing.delete(service)
    else this.notServing.add(service)
    for (const listener of [...this.healthListeners]) listener()
  }

  health(service: string): boolean | undefined {
    if (service !== '' && !this.handlers.has(service)) return undefined
    return this.closing === undefined && !this.notServing.has('') && !this.notServing.has(service)
  }

  onHealthChange(listener: () => void): () => void {
    this.healthListeners.add(listener)
    return () => this.healthListeners.delete(listener)
  }

  onCall(incoming: IncomingCall): void {
    const call = new ServedCall(this, incoming)
    const name = nameOf(call)
    const ofMethod = this.openByMethod.get(name) ?? 0
    const methodMax = this.init.methodCallsMax[name] ?? Number.POSITIVE_INFINITY
    const isFull = this.open.size >= this.init.callsMax || ofMethod >= methodMax
    this.open.add(call)
    this.openByMethod.set(name, ofMethod + 1)
    this.callCounts.of(call.service, call.method).begin()
    if (isFull) call.refuse('RESOURCE_EXHAUSTED', `too many calls of ${name} are under way at this server: try another`)
    else if (this.handlerOf(call) === undefined) call.refuse('UNIMPLEMENTED', `${name} is not implemented here`)
    else call.start()
  }

  invoke(call: ServedCall, request: unknown): unknown {
    const handler = this.handlerOf(call)!
    const { interceptors } = this.init
    if (interceptors.length === 0) return handler(request, call satisfies CallContext)
    const { service, method } = call.incoming
    return runThrough(interceptors, 0, { service, method, context: call, request }, handler)
  }

  faulted(call: ServedCall, error: unknown): void {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    this.init.logger.error('a handler failed', {
      method: nameOf(call),
      error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    })
  }

  ended(call: ServedCall, code: RpcCode | undefined): void {
    if (!this.open.delete(call)) return
    const name = nameOf(call)
    const left = (this.openByMethod.get(name) ?? 1) - 1
    if (left === 0) this.openByMethod.delete(name)
    else this.openByMethod.set(name, left)
    this.callCounts.of(call.service, call.method).end(code, this.clock.monotonicMs() - call.beganMs)
  }

  statusOf(code: RpcCode): number {
    return this.init.statusOf(code)
  }

  close({ drainMs = drainMsDefault }: { readonly drainMs?: number | undefined } = {}): Promise<void> {
    this.closing ??= this.closeInOrder(drainMs)
    return this.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async closeInOrder(drainMs: number): Promise<void> {
    // The assignment of `closing` follows this call's first wait, so health is told after it.
    await Promise.resolve()
    for (const listener of [...this.healthListeners]) listener()
    // A registry that cannot be reached forgets the instance by itself.
    await Promise.allSettled(this.registrations.map((registration) => registration.close()))
    await this.listening?.close({ drainMs })
  }

  private handlerOf(call: ServedCall): ServiceHandler | undefined {
    return this.handlers.get(call.service)?.get(call.method)
  }
}

async function runThrough(
  interceptors: readonly ServerInterceptor[],
  at: number,
  call: InterceptedCall,
  handler: ServiceHandler,
): Promise<unknown> {
  const interceptor = interceptors[at]
  if (interceptor === undefined) return handler(call.request, call.context)
  return interceptor(call, (next) => runThrough(interceptors, at + 1, next, handler))
}

function nameOf(call: ServedCall): string {
  return `${call.service}/${call.method}`
}
