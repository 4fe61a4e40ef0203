/**
 * Histories told as events: a process invokes, and later the same process tells `ok`, `fail` or `info` (it does not know).
 * Knossos and Jepsen write them so.
 *
 * Times of the records made of them are the places of the events in the file: only their order matters.
 */
import type { OperationRecord } from '../history/index.ts'
import type { Edn } from './edn.ts'
import { FormatError } from './format-error.ts'

export interface HistoryEvent {
  readonly process: string
  readonly type: 'invoke' | 'ok' | 'fail' | 'info'
  readonly f: string
  readonly value: Edn
  /** Of the register, where each event names one. */
  readonly key: string | undefined
  readonly error: string | undefined
  readonly line: number
}

/** What became of one operation, for a model to put in our words. Undefined: it has no part in the history. */
export type Translate = (
  invocation: HistoryEvent,
  completion: HistoryEvent | undefined,
) => Pick<OperationRecord, 'input' | 'output' | 'outcome'> | undefined

/** One record for each operation. What is no client (a process that is not a number: the nemesis) is left out. */
export function operationsOf(events: readonly HistoryEvent[], translate: Translate): OperationRecord[] {
  const records: OperationRecord[] = []
  const open = new Map<string, { readonly event: HistoryEvent; readonly place: number }>()
  const conclude = (invoked: { event: HistoryEvent; place: number }, completion?: HistoryEvent, place?: number) => {
    const translated = translate(invoked.event, completion)
    if (translated === undefined) return
    const certain = translated.outcome !== 'unknown' && place !== undefined
    records.push({
      type: 'operation',
      client: invoked.event.process,
      invokedMs: invoked.place,
      ...(certain ? { returnedMs: place } : {}),
      ...translated,
      ...(completion?.error === undefined ? {} : { error: completion.error }),
    })
  }
  for (const [place, event] of events.entries()) {
    if (!/^\d+$/.test(event.process)) continue
    const invoked = open.get(event.process)
    if (event.type === 'invoke') {
      if (invoked !== undefined) conclude(invoked)
      open.set(event.process, { event, place })
      continue
    }
    open.delete(event.process)
    if (invoked !== undefined) conclude(invoked, event, place)
    else if (event.type !== 'info')
      throw new FormatError(`process ${event.process} concludes :${event.f}, but has not invoked anything`, event.line)
  }
  for (const invoked of open.values()) conclude(invoked)
  return records
}
