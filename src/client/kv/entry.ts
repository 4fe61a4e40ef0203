import type { Entry, LeaseId, Revision } from '../driver/index.ts'
import { jsonOf } from '../schema/index.ts'
import { keyBytesOf, type Namespaced } from './keys.ts'

/** A key with its value, at one revision. */
export interface KvEntry {
  /** The key as text; bytes that are no UTF-8 show as U+FFFD, see `keyBytes`. */
  readonly key: string
  readonly keyBytes: Uint8Array
  /** Empty when only keys were asked for. */
  readonly value: Uint8Array
  /** The write that made the key. A key that is deleted and made again has a greater one. */
  readonly createRevision: Revision
  /** The write that made this version. */
  readonly modRevision: Revision
  /** 1 for the first since the key was made. */
  readonly version: number
  /** 0n: it stays until it is deleted. */
  readonly leaseId: LeaseId
  /** The value as UTF-8 text. */
  text(): string
  /** The value as JSON; `T` is a claim, see {@link KvBase.as} for a check. Throws `VALIDATION_FAILED` when it is none. */
  json<T = unknown>(): T
}

/** What a program sees of an entry. */
export function kvEntry(context: Namespaced, entry: Entry): KvEntry {
  return new EntryView(entry, keyBytesOf(context, entry.key))
}

class EntryView implements KvEntry {
  readonly key: string
  readonly keyBytes: Uint8Array
  readonly value: Uint8Array
  readonly createRevision: Revision
  readonly modRevision: Revision
  readonly version: number
  readonly leaseId: LeaseId

  constructor(entry: Entry, keyBytes: Uint8Array) {
    this.key = utf8.decode(keyBytes)
    this.keyBytes = keyBytes
    this.value = entry.value
    this.createRevision = entry.createRevision
    this.modRevision = entry.modRevision
    this.version = entry.version
    this.leaseId = entry.leaseId
  }

  text(): string {
    return utf8.decode(this.value)
  }

  json<T>(): T {
    return jsonOf(this.value, `the value of key ${JSON.stringify(this.key)}`) as T
  }
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
