/** Keys and ranges as a program says them, and as the engine keeps them: behind the connection's namespace. */
import { type BinaryString, binaryString, binaryStringToBytes, utf8Bytes } from '../../base/index.ts'
import { type PlaneContext, prefixEnd } from '../context.ts'
import type { Key, KeyRange } from '../driver/index.ts'
import { SynodError } from '../errors.ts'

/** A key: text, which is kept as UTF-8, or any bytes. Not empty. Keys are ordered as unsigned bytes. */
export type KeyInput = string | Uint8Array

/** Which keys. */
export type KvRange =
  /** All that begin so; `''` is all there are, those of the primitives (`synod/…`) included. */
  | { readonly prefix: KeyInput; readonly start?: never; readonly end?: never }
  /** From `start` up to, not including, `end`; without `end` all from `start` on. */
  | { readonly start: KeyInput; readonly end?: KeyInput | undefined; readonly prefix?: never }

/** A range, or one key. */
export type KvSelection =
  | (KvRange & { readonly key?: never })
  | { readonly key: KeyInput; readonly prefix?: never; readonly start?: never; readonly end?: never }

export type Namespaced = Pick<PlaneContext, 'namespace'>

/**
 * The bytes that a program means, as they are, before the namespace. Throws `INVALID_ARGUMENT` for halves of a surrogate
 * pair: they have no UTF-8, and different ones would be one key.
 */
export function bareKey(key: KeyInput): BinaryString {
  if (typeof key === 'string' && /\p{Surrogate}/u.test(key))
    throw new SynodError('INVALID_ARGUMENT', 'a key has one half of a surrogate pair: it was cut within a character')
  return binaryString(typeof key === 'string' ? utf8Bytes(key) : key)
}

/** The engine's key. Throws `INVALID_ARGUMENT` for the empty one. */
export function storedKey({ namespace }: Namespaced, key: KeyInput): Key {
  const bare = bareKey(key)
  if (bare.length === 0) throw new SynodError('INVALID_ARGUMENT', 'the key is empty; a key has at least one byte')
  return namespace + bare
}

/** What a program calls a key of the engine. */
export function keyBytesOf({ namespace }: Namespaced, stored: Key): Uint8Array {
  return binaryStringToBytes(stored.slice(namespace.length))
}

/** The engine's range: never more than the namespace. */
export function storedRange({ namespace }: Namespaced, selection: KvSelection): KeyRange {
  if (selection.key !== undefined) return { start: storedKey({ namespace }, selection.key), end: undefined }
  if (selection.prefix !== undefined) {
    const prefix = namespace + bareKey(selection.prefix)
    return prefix === '' ? { start: '\0', end: '' } : { start: prefix, end: prefixEnd(prefix) }
  }
  if (selection.start === undefined)
    throw new SynodError('INVALID_ARGUMENT', 'no keys are named; say { prefix }, { start, end } or { key }')
  const start = namespace + bareKey(selection.start)
  const end = selection.end === undefined ? prefixEnd(namespace) : namespace + bareKey(selection.end)
  if (end !== '' && end <= start)
    throw new SynodError('INVALID_ARGUMENT', 'the end of the range is not above its start, so that it has no keys')
  return { start: start === '' ? '\0' : start, end }
}

/** A value as it is stored. */
export function valueBytes(value: string | Uint8Array): Uint8Array {
  if (typeof value === 'string') return utf8Bytes(value)
  if (value instanceof Uint8Array) return value
  throw new SynodError(
    'INVALID_ARGUMENT',
    `a value is a string or a Uint8Array, not ${value === null ? 'null' : typeof value}; for objects use kv.as(schema), or JSON.stringify`,
  )
}
