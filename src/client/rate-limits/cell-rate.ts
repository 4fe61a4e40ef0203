/**
 * The generic cell rate algorithm (ITU-T I.371, annex A, virtual scheduling): one number, the theoretical arrival time,
 * says all. It is the moment at which the bucket would be full again. In whole microseconds, rounded so that the limit is
 * never passed; kept as decimal text.
 *
 * limit 10 a second, burst 3, spacing 100 ms, empty key, now = 0:
 *   take(1): full at 100, 2 remain    take(2): full at 300, 0 remain    take(1): it may be full 300 ms from now at most,
 *   not 400: denied, retry after 100 ms
 */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { SynodError } from '../errors.ts'

export interface CellRate {
  /** Between two permits in the long run. */
  readonly spacingMicros: number
  /** How many permits a full bucket holds. */
  readonly burst: number
}

export interface CellDecision {
  readonly allowed: boolean
  /** When the bucket is full again, allowed or not. */
  readonly fullAtMicros: number
  /** Permits left now. */
  readonly remaining: number
  /** 0 when allowed. */
  readonly waitMicros: number
}

/** By how much the clocks of a limiter's clients may differ before a stored time is taken for nonsense. */
export const clockSkewMaxMs = 10_000

/** `storedMicros` undefined: nobody has taken anything yet. */
export function decide(rate: CellRate, storedMicros: number | undefined, nowMicros: number, n: number): CellDecision {
  const { spacingMicros, burst } = rate
  const depthMicros = burst * spacingMicros
  // A clock that was far ahead, or another limit before, must not lock everybody out for longer than one bucket.
  const isNonsense = (storedMicros ?? 0) > nowMicros + depthMicros + clockSkewMaxMs * 1000
  const stored = isNonsense ? nowMicros + depthMicros : (storedMicros ?? 0)
  const from = Math.max(stored, nowMicros)
  const fullAtMicros = from + n * spacingMicros
  const waitMicros = fullAtMicros - depthMicros - nowMicros
  const remainingAt = (micros: number): number =>
    Math.max(0, Math.floor((nowMicros + depthMicros - micros) / spacingMicros))
  if (waitMicros > 0) return { allowed: false, fullAtMicros: stored, remaining: remainingAt(from), waitMicros }
  return { allowed: true, fullAtMicros, remaining: remainingAt(fullAtMicros), waitMicros: 0 }
}

export function encodeFullAt(micros: number): Uint8Array {
  return utf8Bytes(String(micros))
}

/** Throws `CORRUPT`. */
export function decodeFullAt(name: string, bytes: Uint8Array | undefined): number | undefined {
  if (bytes === undefined) return undefined
  const micros = Number(binaryString(bytes))
  if (Number.isSafeInteger(micros) && micros >= 0) return micros
  throw new SynodError('CORRUPT', `the rate limiter "${name}" holds what is no time; reset it`)
}
