/**
 * Where the members were last: the file `members` of the data directory. After a loss of all processes nothing is known
 * to be committed, so a node's state does not tell who was added since its last snapshot; but to elect a leader, who would
 * tell, the members must reach each other first.
 *
 * - A1  The file is behind the applied state by one write at most. A member votes long after its addition was applied, so
 *       whoever is needed for a quorum is in the file.
 */
import { type Disk, DiskError } from '../runtime/index.ts'
import { hex } from './identity.ts'
import type { PeerAddress } from './peer-set.ts'
import { readSealedFile, writeSealedFile } from './sealed-file.ts'

const fileName = 'members'

export class AddressBook {
  /** What was in the file at the start. */
  readonly members: readonly PeerAddress[]
  private readonly disk: Disk
  private readonly directory: string
  private readonly clusterId: bigint
  private readonly onFailure: (error: unknown) => void
  private written = ''
  private writing: Promise<void> = Promise.resolve()

  private constructor(
    disk: Disk,
    directory: string,
    clusterId: bigint,
    members: readonly PeerAddress[],
    onFailure: (error: unknown) => void,
  ) {
    this.disk = disk
    this.directory = directory
    this.clusterId = clusterId
    this.members = members
    this.onFailure = onFailure
  }

  /** Rejects with a SealedFileError when the file is damaged. One of another cluster is passed over. */
  static async open(
    disk: Disk,
    directory: string,
    clusterId: bigint,
    onFailure: (error: unknown) => void,
  ): Promise<AddressBook> {
    const found = (await readSealedFile(disk, directory, fileName, fileName)) ?? {}
    const entries = found['clusterId'] === hex(clusterId) ? Object.entries(found['members'] ?? {}) : []
    const members = entries.map(([id, urls]) => ({ id: BigInt(`0x${id}`), peerUrls: (urls as unknown[]).map(String) }))
    return new AddressBook(disk, directory, clusterId, members, onFailure)
  }

  /** Takes the place of what was noted before. Written in the background. */
  note(members: readonly PeerAddress[]): void {
    const value = {
      clusterId: hex(this.clusterId),
      members: Object.fromEntries(members.map(({ id, peerUrls }) => [hex(id), peerUrls])),
    }
    const text = JSON.stringify(value)
    if (text === this.written) return
    this.written = text
    this.writing = this.writing
      .then(() => writeSealedFile(this.disk, this.directory, fileName, fileName, value))
      .catch((error: unknown) => {
        // Without room the next change tries again: it holds back nobody who has no need to restart.
        if (error instanceof DiskError && error.code === 'NO_SPACE') this.written = ''
        else this.onFailure(error)
      })
  }

  async settled(): Promise<void> {
    await this.writing
  }
}
