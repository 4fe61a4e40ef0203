/**
 * The marker of a session: the key `synod/once/SESSION`, tied to the session's lease, so that it lives exactly as long.
 *
 *     marker = sequence "." attempt        decimal, sequence from 1, attempt from 0: "17.0"
 *
 * It says which batch of the session was applied last, and which attempt at it. Attempts at one batch may have been
 * computed from different states; the writer keeps the results of each, so the marker need not carry them.
 */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { SynodError } from '../errors.ts'

export interface Marker {
  readonly sequence: number
  readonly attempt: number
}

export function encodeMarker(marker: Marker): Uint8Array {
  return utf8Bytes(`${marker.sequence}.${marker.attempt}`)
}

/** Throws `CORRUPT` for what {@link encodeMarker} never wrote. */
export function decodeMarker(value: Uint8Array): Marker {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(binaryString(value))
  if (match === null)
    throw new SynodError(
      'CORRUPT',
      'the marker of this session was overwritten; leave the keys under synod/once/ alone',
    )
  return { sequence: Number(match[1]), attempt: Number(match[2]) }
}
