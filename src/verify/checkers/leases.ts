/**
 * Leases. From the answer to a grant or renewal on, the server owes the lease `ttlMs` counted from the moment the request
 * was sent; a lease may live longer. Times are the observer's: where the leader's clock may drift, the recorder takes the
 * stated bound off `ttlMs`.
 */
import type { Checker, HistoryRecord, LeaseRecord, OperationRecord } from '../history/index.ts'
import { groupBy, inSequence, invalid, recordsOf, valid } from './verdicts.ts'

type LeaseEvent = LeaseRecord['what']
type EventOf<E extends LeaseEvent['event']> = LeaseRecord & { readonly what: Extract<LeaseEvent, { event: E }> }

/** Never gone earlier than owed, never renewed after its end, and its keys go with it. */
export const leases: Checker = {
  property: 'lease',
  check: (history) => {
    const records = recordsOf(history, 'lease')
    const operations = recordsOf(history, 'operation')
    for (const [lease, events] of groupBy(records, (record) => record.lease)) {
      for (const life of livesOf(inSequence(events))) {
        const breach =
          life.goneEarly() ?? life.renewedAfterEnd() ?? life.keysLeft(operations) ?? life.keysLost(operations)
        if (breach !== undefined) return invalid('lease', `Lease ${lease} ${breach.what}.`, breach.evidence)
      }
    }
    return valid(records.length)
  },
}

interface Breach {
  readonly what: string
  readonly evidence: readonly HistoryRecord[]
}

/** An id can be granted again after its lease has ended; then it is another lease. */
function livesOf(events: readonly LeaseRecord[]): LeaseLife[] {
  const lives: LeaseRecord[][] = []
  for (const event of events) {
    if (event.what.event === 'granted' || lives.length === 0) lives.push([])
    lives.at(-1)!.push(event)
  }
  return lives.map((life) => new LeaseLife(life))
}

class LeaseLife {
  private readonly owed: EventOf<'granted' | 'renewed'>[]
  private readonly gone: EventOf<'gone'> | undefined
  private readonly revokedMs: number
  private readonly attached: EventOf<'attached'>[]
  private readonly seenKeys: EventOf<'keys'>[]

  constructor(events: readonly LeaseRecord[]) {
    const of = <E extends LeaseEvent['event']>(...names: E[]) =>
      events.filter((each): each is EventOf<E> => (names as string[]).includes(each.what.event))
    this.owed = of('granted', 'renewed')
    this.gone = of('gone').sort((a, b) => a.what.atMs - b.what.atMs)[0]
    this.revokedMs = Math.min(...of('revoked').map((each) => each.what.sentMs))
    this.attached = of('attached')
    this.seenKeys = of('keys')
  }

  /** The promise answered by `atMs` that reaches furthest. */
  private promiseAt(atMs: number): { readonly untilMs: number; readonly record: LeaseRecord } | undefined {
    let best: { readonly untilMs: number; readonly record: LeaseRecord } | undefined
    for (const record of this.owed) {
      const untilMs = record.what.sentMs + record.what.ttlMs
      if (record.what.atMs <= atMs && (best === undefined || untilMs > best.untilMs)) best = { untilMs, record }
    }
    return best
  }

  goneEarly(): Breach | undefined {
    if (this.gone === undefined) return undefined
    const { atMs } = this.gone.what
    const promise = this.promiseAt(atMs)
    if (promise === undefined || atMs >= promise.untilMs || this.revokedMs <= atMs) return undefined
    const what = `was gone at ${atMs} ms, but was owed until ${promise.untilMs} ms`
    return { what, evidence: [promise.record, this.gone] }
  }

  renewedAfterEnd(): Breach | undefined {
    const { gone } = this
    if (gone === undefined) return undefined
    const late = this.owed.find(({ what }) => what.event === 'renewed' && what.sentMs > gone.what.atMs)
    if (late === undefined) return undefined
    const what = `was gone at ${gone.what.atMs} ms, yet a renewal sent at ${late.what.sentMs} ms was granted`
    return { what, evidence: [gone, late] }
  }

  /** Keys that outlive the lease, by a look at the lease or by a read. */
  keysLeft(operations: readonly OperationRecord[]): Breach | undefined {
    const { gone } = this
    if (gone === undefined) return undefined
    const left = this.seenKeys.find(({ what }) => what.atMs > gone.what.atMs && what.keys.length > 0)
    if (left !== undefined) {
      const what = `was gone at ${gone.what.atMs} ms, but at ${left.what.atMs} ms its keys were still there: ${left.what.keys.join(', ')}`
      return { what, evidence: [gone, left] }
    }
    const { revision } = gone.what
    if (revision === undefined) return undefined
    const attachedAt = new Map(this.attached.map((each) => [`${each.what.revision} ${each.what.key}`, each]))
    for (const read of operations) {
      if ((read.output?.revision ?? -1) < revision) continue
      for (const entry of read.output?.entries ?? []) {
        const attached = attachedAt.get(`${entry.modRevision} ${entry.key}`)
        if (attached === undefined) continue
        const what = `ended at revision ${revision}, but at revision ${read.output?.revision} its key ${entry.key} was still there`
        return { what, evidence: [attached, gone, read] }
      }
    }
    return undefined
  }

  /** Keys that vanish while the lease is owed and nobody else touches them. */
  keysLost(operations: readonly OperationRecord[]): Breach | undefined {
    for (const look of this.seenKeys) {
      const { atMs, keys } = look.what
      const promise = this.promiseAt(atMs)
      if (promise === undefined || atMs >= promise.untilMs || this.revokedMs <= atMs) continue
      const lost = this.attached.find(
        ({ what }) =>
          what.atMs < atMs && !keys.includes(what.key) && !operations.some((each) => touches(each, what, atMs)),
      )
      if (lost === undefined) continue
      const what = `is owed until ${promise.untilMs} ms, but at ${atMs} ms its key ${lost.what.key} was gone`
      return { what, evidence: [promise.record, lost, look] }
    }
    return undefined
  }
}

/** Whether an operation other than the one that attached the key may have changed it. */
function touches(
  { input, outcome, output, invokedMs }: OperationRecord,
  attached: { readonly key: string; readonly revision: number },
  atMs: number,
): boolean {
  if (outcome === 'failed' || invokedMs > atMs || (output?.revision ?? Number.POSITIVE_INFINITY) <= attached.revision)
    return false
  if (input.op === 'get' || input.op === 'range') return false
  if (input.op !== 'txn') return input.key === attached.key
  return [...input.success, ...input.failure].some((step) => step.op !== 'get' && step.key === attached.key)
}
