import type { FileInode } from '../../../runtime/power-loss/index.ts'
import type { CrashDisk } from './crash-disk.ts'

/** Changes bytes of a file behind everyone's back, as rot does: durably and without a trace. */
export function damageFile(disk: CrashDisk, path: string, damage: (bytes: Buffer) => Uint8Array): void {
  const inode = fileAt(disk, path)
  const { current } = inode
  const bytes = damage(Buffer.from(current.read(0, current.length)))
  inode.truncate(0)
  inode.write(0, bytes)
  inode.settle()
}

export function flipByte(disk: CrashDisk, path: string, offset: number, mask = 0x41): void {
  damageFile(disk, path, (bytes) => {
    bytes[offset] = bytes[offset]! ^ mask
    return bytes
  })
}

export function bytesOf(disk: CrashDisk, path: string): Buffer {
  const { current } = fileAt(disk, path)
  return Buffer.from(current.read(0, current.length))
}

/** Makes or replaces a file, durably. */
export function putFile(disk: CrashDisk, path: string, bytes: Uint8Array): void {
  disk.fileSystem.open(path, 'create')
  damageFile(disk, path, () => bytes)
  disk.fileSystem.syncDirectory(path.slice(0, path.lastIndexOf('/')))
}

export function removeFile(disk: CrashDisk, path: string): void {
  disk.fileSystem.remove(path)
  disk.fileSystem.syncDirectory(path.slice(0, path.lastIndexOf('/')))
}

function fileAt(disk: CrashDisk, path: string): FileInode {
  return disk.fileSystem.open(path, 'write')
}
