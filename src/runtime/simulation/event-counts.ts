/** Counts events by what they are to the node they happen to. */

/** How many events ran, by class. */
export interface EventCounts {
  /** Segments of connections that arrived, with bytes or without. */
  readonly messagesDelivered: number
  readonly diskCompletions: number
  readonly timersFired: number
  /** Ends of turns, connections opened and closed, the scenario's own, … */
  readonly others: number
  readonly total: number
}

export type EventClass = Exclude<keyof EventCounts, 'total'>

/** The class of an event by its kind. */
export function eventClassOf(kind: string): EventClass {
  if (kind === 'timer') return 'timersFired'
  if (kind.startsWith('disk-')) return 'diskCompletions'
  if (kind.startsWith('net-') && kind !== 'net-resume') return 'messagesDelivered'
  return 'others'
}
