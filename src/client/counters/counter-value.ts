/** The bytes of a counter: its value as decimal text, as `etcdctl get` shows it. No key is 0. */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { SynodError } from '../errors.ts'

export function encodeCounterValue(value: number): Uint8Array {
  return utf8Bytes(String(value))
}

export function decodeCounterValue(name: string, bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0
  const text = binaryString(bytes)
  const value = Number(text)
  if (!/^-?\d{1,16}$/.test(text) || !Number.isSafeInteger(value))
    throw new SynodError(
      'CORRUPT',
      `the counter "${name}" holds what is no safe integer; delete its key or write a number`,
    )
  return value
}

/** Throws `INVALID_ARGUMENT`. */
export function assertInteger(what: string, value: number): void {
  if (!Number.isSafeInteger(value))
    throw new SynodError('INVALID_ARGUMENT', `${what} is ${value}; it must be an integer from -(2^53 - 1) to 2^53 - 1`)
}

/** Throws `TOO_LARGE`. */
export function sumOf(name: string, value: number, n: number): number {
  const sum = value + n
  if (Number.isSafeInteger(sum)) return sum === 0 ? 0 : sum
  throw new SynodError('TOO_LARGE', `the counter "${name}" is at ${value}; adding ${n} would take it past 2^53 - 1`)
}
