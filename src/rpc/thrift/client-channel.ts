/**
 * Thrift to one endpoint: kept connections, each of which carries one call at a time, since many servers answer a
 * connection's calls one after the other.
 *
 * I1. A connection is in `idle` or serves exactly one call; it is idle only with no byte of a message held.
 * I2. Calls wait in `waiting`, in order, only while `connectionsMax` connections are in use.
 * I3. No event of a call comes inside `begin`: those that fail at once fail at the end of the turn.
 */
import type { Address } from '../../runtime/index.ts'
import { noMetadata } from '../service/index.ts'
import type {
  CallEnd,
  CallEvents,
  ChannelLimits,
  ClientChannel,
  TransportCall,
  TransportRequest,
  TransportRuntime,
} from '../transport/index.ts'
import { ClientConnection } from './client-connection.ts'
import type { ThriftService } from './thrift-service.ts'

export interface ThriftChannelInit {
  readonly address: Address
  readonly outside: TransportRuntime
  readonly limits: ChannelLimits
  readonly framed: boolean
  readonly multiplexed: boolean
  readonly connectionsMax: number
}

/** After an attempt to connect that failed, calls fail at once for this long: their owner goes elsewhere. */
const backoffMs = 100

export class ThriftClientChannel implements ClientChannel {
  readonly init: ThriftChannelInit
  private readonly all = new Set<ClientConnection>()
  private readonly idle: ClientConnection[] = []
  private waiting: ThriftCall[] = []
  private retryAtMs = Number.NEGATIVE_INFINITY
  private lastFailure = ''
  private closedFor: string | undefined = undefined

  constructor(init: ThriftChannelInit) {
    this.init = init
  }

  get isDown(): boolean {
    return this.all.size === 0 && this.init.outside.clock.monotonicMs() < this.retryAtMs
  }

  begin(request: TransportRequest, events: CallEvents): TransportCall {
    const call = new ThriftCall(this, request, events)
    if (this.closedFor !== undefined) call.failLater(unsent('UNAVAILABLE', this.closedFor, 'local'))
    else if (this.isDown) call.failLater(unsent('UNAVAILABLE', this.lastFailure, 'connect'))
    else this.place(call)
    return call
  }

  drain(): void {
    this.closedFor ??= 'the endpoint left the set of endpoints'
    for (const connection of this.idle.splice(0)) connection.close()
  }

  close(reason: string): void {
    this.closedFor = reason
    const { waiting } = this
    this.waiting = []
    for (const call of waiting) call.failLater(unsent('UNAVAILABLE', reason, 'local'))
    for (const connection of [...this.all]) connection.close(reason)
  }

  // What follows is for calls and connections.

  /** The call is over: it may still wait. */
  withdrawn(call: ThriftCall): void {
    const at = this.waiting.indexOf(call)
    if (at !== -1) this.waiting.splice(at, 1)
  }

  released(connection: ClientConnection): void {
    const next = this.waiting.shift()
    if (next !== undefined) connection.carry(next)
    else if (this.closedFor !== undefined) connection.close()
    else this.idle.push(connection)
  }

  /** `failure`: it was never open. */
  closed(connection: ClientConnection, failure: string | undefined): void {
    this.all.delete(connection)
    const at = this.idle.indexOf(connection)
    if (at !== -1) this.idle.splice(at, 1)
    if (failure === undefined) {
      const next = this.waiting.shift()
      if (next !== undefined) this.place(next)
      return
    }
    this.lastFailure = failure
    this.retryAtMs = this.init.outside.clock.monotonicMs() + backoffMs
    // Nothing else is open that those who wait could hope for.
    if (this.all.size > 0) return
    const { waiting } = this
    this.waiting = []
    for (const call of waiting) call.failLater(unsent('UNAVAILABLE', failure, 'connect'))
  }

  private place(call: ThriftCall): void {
    const connection = this.idle.pop()
    if (connection !== undefined) return connection.carry(call)
    if (this.all.size < this.init.connectionsMax) {
      const made = new ClientConnection(this)
      this.all.add(made)
      return made.carry(call)
    }
    if (this.waiting.length >= this.init.limits.waitingCallsMax)
      return call.failLater(
        unsent('RESOURCE_EXHAUSTED', 'too many calls wait for a connection to the endpoint', 'local'),
      )
    this.waiting.push(call)
  }
}

export function unsent(code: CallEnd['code'], message: string, origin: CallEnd['origin']): CallEnd {
  return { code, message, trailers: noMetadata, isUnprocessed: true, origin }
}

/** One attempt at a call. */
export class ThriftCall implements TransportCall {
  readonly request: TransportRequest
  readonly events: CallEvents
  connection: ClientConnection | undefined = undefined
  isOver = false
  private readonly channel: ThriftClientChannel

  constructor(channel: ThriftClientChannel, request: TransportRequest, events: CallEvents) {
    this.channel = channel
    this.request = request
    this.events = events
  }

  get service(): ThriftService {
    return this.request.service as ThriftService
  }

  /** Thrift's methods take one request, which `begin` was given. */
  send(): boolean {
    return true
  }

  end(): void {}
  pause(): void {}
  resume(): void {}

  cancel(): void {
    if (this.isOver) return
    this.isOver = true
    this.channel.withdrawn(this)
    // The reply would come later, to a call that does not wait for it.
    this.connection?.close()
  }

  failLater(end: CallEnd): void {
    this.channel.init.outside.scheduler.endOfTurn(() => this.finish(end))
  }

  finish(end: CallEnd): void {
    if (this.isOver) return
    this.isOver = true
    this.events.onEnd(end)
  }
}
