import { utf8Bytes } from '../../base/index.ts'

/** The primary of a pair, as clients see it: it may have been replaced since. */
export interface Primary {
  readonly id: string
  readonly address: string
  readonly port: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  /** Rises from primary to primary. */
  readonly fencingToken: number
}

/** What a member proclaims. */
export interface Candidate extends Omit<Primary, 'fencingToken'> {
  /** Whether its promotion is done. */
  readonly ready: boolean
}

export function encodePrimary(candidate: Candidate): Uint8Array {
  return utf8Bytes(JSON.stringify(candidate))
}

/** Undefined for one that is not ready, and for what no member wrote. */
export function decodePrimary(value: Uint8Array, fencingToken: number): Primary | undefined {
  try {
    const { id, address, port, metadata, ready } = JSON.parse(new TextDecoder().decode(value)) as Partial<Candidate>
    if (ready !== true || typeof id !== 'string' || typeof address !== 'string') return undefined
    return { id, address, port, metadata: metadata ?? {}, fencingToken }
  } catch {
    return undefined
  }
}
