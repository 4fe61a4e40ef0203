/**
 * How far a copy has come: the target's key `synod/floors/copy`, written in the same transactions as what it tells of, and
 * removed at the end.
 *
 *     {"prefixes":[base64, …], "fromRevision":N, "after":base64}
 */
import { binaryString, binaryStringToBytes, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, roomKey } from '../context.ts'
import type { Entry, Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'

export interface SavedProgress {
  readonly prefixes: readonly Key[]
  readonly fromRevision: Revision
  /** Everything up to this relative key is copied. */
  readonly after: Key
}

export function progressKey(to: PlaneContext): Key {
  return roomKey(to, 'floors', 'copy')
}

export function encodeProgress({ prefixes, fromRevision, after }: SavedProgress): Uint8Array {
  const base64 = (key: Key): string => Buffer.from(binaryStringToBytes(key)).toString('base64')
  return utf8Bytes(JSON.stringify({ prefixes: prefixes.map(base64), fromRevision, after: base64(after) }))
}

/** Throws `CORRUPT`. */
export function decodeProgress(entry: Entry): SavedProgress {
  try {
    const { prefixes, fromRevision, after } = JSON.parse(new TextDecoder().decode(entry.value)) as Record<
      string,
      unknown
    >
    const key = (base64: unknown): Key => binaryString(Buffer.from(String(base64), 'base64'))
    if (!Array.isArray(prefixes) || typeof fromRevision !== 'number' || typeof after !== 'string')
      throw new TypeError('fields are missing')
    return { prefixes: prefixes.map(key), fromRevision, after: key(after) }
  } catch (cause) {
    throw new SynodError(
      'CORRUPT',
      'the record of an unfinished copy cannot be read; delete the key synod/floors/copy',
      {
        cause,
      },
    )
  }
}
