import { utf8Bytes } from '../../base/index.ts'
import type { Entry, Revision } from '../driver/index.ts'

/** An instance of a service, as registered. */
export interface Instance {
  readonly service: string
  readonly id: string
  /** A host name or numeric address. */
  readonly address: string
  readonly port: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly healthy: boolean
  /** Why it is unhealthy; empty otherwise. */
  readonly reason: string
  /** Of the write that said so: greater in newer states. */
  readonly revision: Revision
}

/** What is kept of an instance. */
export interface InstanceRecord {
  /** Unique to the registration: tells its own record from that of another under the same id. */
  readonly by: string
  readonly id: string
  readonly address: string
  readonly port?: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly healthy: boolean
  readonly reason: string
}

export function encodeRecord(record: InstanceRecord): Uint8Array {
  return utf8Bytes(JSON.stringify(record))
}

/** Undefined for what no registration wrote. */
export function decodeRecord({ value }: Entry): InstanceRecord | undefined {
  try {
    const record = JSON.parse(new TextDecoder().decode(value)) as Partial<InstanceRecord>
    const { by, id, address, port, metadata, healthy, reason } = record
    if (typeof by !== 'string' || typeof id !== 'string' || typeof address !== 'string') return undefined
    return { by, id, address, port, metadata: metadata ?? {}, healthy: healthy === true, reason: reason ?? '' }
  } catch {
    return undefined
  }
}

export function instanceOf(service: string, entry: Entry): Instance | undefined {
  const record = decodeRecord(entry)
  if (record === undefined) return undefined
  const { id, address, port, metadata, healthy, reason } = record
  return { service, id, address, port, metadata, healthy, reason, revision: entry.modRevision }
}
