import type { AutoCompaction } from '../../../node/config/index.ts'

export interface EmbeddedDriverOptions {
  /**
   * Where the engine keeps its data; made when absent, and locked while the driver is open. Undefined: in memory only, and
   * gone with the driver. On a simulated machine, what is in memory takes no time: a loop that never waits stops its clock.
   */
  readonly directory?: string | undefined
  /** How many nodes form the cluster, all in this process; a directory keeps the number it was made with. Default 1. */
  readonly nodes?: 1 | 3 | 5 | undefined
  /** How long a call without a deadline of its own may take. Default 5000. */
  readonly requestTimeoutMs?: number | undefined
  /** Requests that are larger are refused with `TOO_LARGE`. Default 1.5 MiB. */
  readonly maxRequestBytes?: number | undefined
  /** How much history is kept. Default: the last 100,000 revisions, seen to every five minutes. */
  readonly autoCompaction?: AutoCompaction | undefined
  /** Who a second one that wants the directory is told of. Default `an embedded engine`. */
  readonly owner?: string | undefined
  /**
   * Keeps the process alive until the function it returns is called. The engine's timers do not, so a program that only
   * waits for its embedded engine would end. Called once, at the start.
   */
  readonly holdProcess?: (() => () => void) | undefined
}
