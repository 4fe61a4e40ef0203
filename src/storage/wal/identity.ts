import { asBuffer, utf8Bytes } from '../../base/index.ts'
import type { MemberId } from '../../core/index.ts'
import type { Disk } from '../../runtime/index.ts'
import { corrupt, withDiskErrors } from './errors.ts'
import { openTwinFile } from './twin-file.ts'

/**
 * Who a data directory belongs to: `identity.a` and `identity.b`, a twin file whose body is JSON in UTF-8:
 *
 * ```
 * {"clusterId":"16 hex digits","memberId":"16 hex digits","name":text,"algorithm":text,"createdAtMs":number}
 * ```
 *
 * Unknown fields are ignored, so that a later version may add some. Written once by the host, before the log is made; a
 * member that is known and comes back without it has lost its disk.
 */
export interface Identity {
  readonly clusterId: bigint
  readonly memberId: MemberId
  readonly name: string
  /** What replicates the log: `raft`, later `paxos`. */
  readonly algorithm: string
  readonly createdAtMs: number
}

const twin = { name: 'identity', magic: 'SYNODIDT', formatVersion: 1 }

/**
 * The identity of the data directory `directory`, or undefined when it has none. Rejects with a `WalError`: `CORRUPT` when
 * both copies are damaged, `UNSUPPORTED_VERSION`, `IO`.
 */
export async function readIdentity(disk: Disk, directory: string): Promise<Identity | undefined> {
  return withDiskErrors('identified', async () => {
    if ((await disk.stat(directory)) === undefined) return undefined
    const file = await openTwinFile({ disk, directory, ...twin })
    await file.close()
    return file.found === undefined ? undefined : decodeIdentity(file.found, `${directory}/${twin.name}`)
  })
}

/** Writes the identity of `directory`, which must exist. Durable when it resolves. Replaces an earlier one. */
export async function writeIdentity(disk: Disk, directory: string, identity: Identity): Promise<void> {
  await withDiskErrors('given an identity', async () => {
    const file = await openTwinFile({ disk, directory, ...twin })
    try {
      await file.write(encodeIdentity(identity))
    } finally {
      await file.close()
    }
  })
}

function encodeIdentity(identity: Identity): Uint8Array {
  const { clusterId, memberId, name, algorithm, createdAtMs } = identity
  return utf8Bytes(JSON.stringify({ clusterId: hex(clusterId), memberId: hex(memberId), name, algorithm, createdAtMs }))
}

function decodeIdentity(body: Uint8Array, path: string): Identity {
  const fields = parseObject(asBuffer(body).utf8Slice(0, body.length))
  const { clusterId, memberId, name, algorithm, createdAtMs } = fields
  if (
    !isHex(clusterId) ||
    !isHex(memberId) ||
    typeof name !== 'string' ||
    typeof algorithm !== 'string' ||
    typeof createdAtMs !== 'number'
  ) {
    throw corrupt(`${path} is intact but malformed`)
  }
  return { clusterId: BigInt(`0x${clusterId}`), memberId: BigInt(`0x${memberId}`), name, algorithm, createdAtMs }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function hex(id: bigint): string {
  return id.toString(16).padStart(16, '0')
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)
}
