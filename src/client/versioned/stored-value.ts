import type { Entry } from '../driver/index.ts'
import { jsonOf } from '../schema/index.ts'
import type { StoredValue, VersionedValue } from './versioned.ts'

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

export function storedValue(value: Uint8Array): StoredValue {
  return { value, text: () => utf8.decode(value), json: <T>() => jsonOf(value, 'the stored value') as T }
}

export function versionedValue(entry: Entry): VersionedValue {
  return { ...storedValue(entry.value), version: entry.version, revision: entry.modRevision }
}
