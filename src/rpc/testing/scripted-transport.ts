/** A transport whose servers are functions: each attempt ends as they say. For tests of what calls make of it. */
import { noMetadata, type RpcCode } from '../service/index.ts'
import type { CallEnd, CallEvents, ClientTransport, TransportRequest } from '../transport/index.ts'

/** One attempt, as a server of the script sees it. */
export interface ScriptedAttempt {
  readonly host: string
  /** 1 for the first of all. */
  readonly number: number
  readonly request: TransportRequest
  isCancelled: boolean
  /** Answers well. */
  answer(): void
  /** Ends it; `end` is what differs from a status of the server with unknown outcome. */
  fail(code: RpcCode, end?: Partial<CallEnd>): void
}

export interface ScriptedTransport extends ClientTransport {
  readonly attempts: readonly ScriptedAttempt[]
  /** Hosts to which a channel is open. */
  readonly openHosts: ReadonlySet<string>
}

/** `serve` is told of each attempt, in the turn in which it begins; it answers then or later. */
export function scriptedTransport(serve: (attempt: ScriptedAttempt) => void): ScriptedTransport {
  const attempts: ScriptedAttempt[] = []
  const openHosts = new Set<string>()
  return {
    name: 'scripted',
    attempts,
    openHosts,
    open({ host }, { scheduler }) {
      openHosts.add(host)
      return {
        isDown: false,
        begin(request, events) {
          const attempt = attemptOf({ host, number: attempts.length + 1, request, events })
          attempts.push(attempt)
          // No event comes inside `begin`.
          scheduler.endOfTurn(() => serve(attempt))
          return {
            send: () => true,
            end() {},
            cancel() {
              attempt.isCancelled = true
            },
            pause() {},
            resume() {},
          }
        },
        drain: () => void openHosts.delete(host),
        close: () => void openHosts.delete(host),
      }
    },
  }
}

function attemptOf(init: {
  readonly host: string
  readonly number: number
  readonly request: TransportRequest
  readonly events: CallEvents
}): ScriptedAttempt {
  const { host, number, request, events } = init
  return {
    host,
    number,
    request,
    isCancelled: false,
    answer() {
      if (this.isCancelled) return
      events.onHeaders(noMetadata)
      events.onMessage(new TextEncoder().encode('"well"'))
      events.onEnd({ code: undefined, message: '', trailers: noMetadata, isUnprocessed: false, origin: 'server' })
    },
    fail(code, end = {}) {
      if (this.isCancelled) return
      const isUnprocessed = false
      events.onEnd({ code, message: 'as scripted', trailers: noMetadata, isUnprocessed, origin: 'server', ...end })
    },
  }
}
