/**
 * What went wrong in a run, counted by kind. Every simulated capability that injures a node reports here at the moment
 * the injury takes effect, so that a world can show that its faults happened at all.
 */

/** Every kind of fault that a simulation can count. */
export const faultKinds = [
  'link-cut',
  'segment-lost',
  'segment-stalled',
  'latency-spike',
  'connection-reset',
  'connection-half-open',
  'message-dropped',
  'message-delayed',
  'message-duplicated',
  'power-loss',
  'process-death',
  'node-paused',
  'node-slowed',
  'clock-jump',
  'clock-drift',
  'write-lost',
  'write-torn',
  'name-lost',
  'sync-failed',
  'read-error',
  'write-error',
  'no-space',
  'io-stuck',
  'disk-latency-spike',
  'bit-rot',
  'write-misdirected',
  'read-misdirected',
] as const

export type FaultKind = (typeof faultKinds)[number]

export type FaultCounts = Readonly<Record<FaultKind, number>>

/** One fault that took effect. */
export interface FaultReport {
  readonly atMs: number
  readonly kind: FaultKind
  /** The node it hit; for a link its sender. */
  readonly nodeName: string
  /** What else there is to tell: the file and offset, the other end of the link, … */
  readonly detail: string
}

export class FaultLedger {
  readonly counts: Record<FaultKind, number>
  private readonly listeners: ((report: FaultReport) => void)[] = []
  private readonly nowMs: () => number

  constructor(nowMs: () => number) {
    this.nowMs = nowMs
    this.counts = Object.fromEntries(faultKinds.map((kind) => [kind, 0])) as Record<FaultKind, number>
  }

  add(kind: FaultKind, nodeName: string, detail = ''): void {
    this.counts[kind]++
    for (const listener of this.listeners) listener({ atMs: this.nowMs(), kind, nodeName, detail })
  }

  onFault(listener: (report: FaultReport) => void): void {
    this.listeners.push(listener)
  }
}
