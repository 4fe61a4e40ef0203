import { concatBytes, crc32c } from '../../../base/index.ts'
import type { HashJob } from '../../../storage/mvcc/index.ts'
import type { StateSnapshot } from '../../replication/index.ts'
import type { StateHash } from '../api.ts'
import type { StateData } from './data.ts'
import { encodeAlarms } from './image-format.ts'

/** Records hashed in a step: well under a millisecond. */
const recordsPerStep = 500
const leaseChunkBytes = 16 * 1024

/**
 * Hashes the state as of its construction, in steps: CRC-32C over the store's own hash (etcd's HashKV), its revisions,
 * the leases' image, the alarms and the members. Which keys hang on which lease follows from the store.
 */
export class StateHashJob {
  private readonly store: HashJob
  private readonly leases: StateSnapshot
  /** Alarms and members: small, so taken at once. */
  private readonly alarms: Uint8Array
  private readonly appliedIndex: number
  private readonly revision: number
  private readonly compactedRevision: number
  private storeHash: number | undefined

  constructor(data: StateData, appliedIndex: number) {
    this.store = data.store.hash(0)
    this.leases = data.leases.snapshot()
    this.alarms = concatBytes([encodeAlarms(data.alarms.list()), data.members.encode()])
    this.appliedIndex = appliedIndex
    this.revision = data.store.revision
    this.compactedRevision = data.store.compactedRevision
  }

  /** Does a step; the hash when that was the last. */
  step(): StateHash | undefined {
    if (this.storeHash === undefined) {
      this.storeHash = this.store.step(recordsPerStep)
      return undefined
    }
    let hash = crc32c(encodeNumbers([this.storeHash, this.revision, this.compactedRevision]))
    for (
      let chunk = this.leases.next(leaseChunkBytes);
      chunk !== undefined;
      chunk = this.leases.next(leaseChunkBytes)
    ) {
      hash = crc32c(chunk, hash)
    }
    hash = crc32c(this.alarms, hash)
    return { hash, appliedIndex: this.appliedIndex, revision: this.revision }
  }

  close(): void {
    this.store.close()
    this.leases.close()
  }
}

function encodeNumbers(numbers: readonly number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(numbers.length * 8)
  for (const [i, number] of numbers.entries()) bytes.writeDoubleLE(number, i * 8)
  return bytes
}
