/** Tells time. Two clocks, because only one of them may be used to measure an interval. */
export interface Clock {
  /** Milliseconds since the Unix epoch. May jump in either direction; never use it to measure a duration. */
  wallMs(): number
  /** Milliseconds, fractional, since an arbitrary moment in this process. Never goes back. */
  monotonicMs(): number
}
