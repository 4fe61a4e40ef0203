import { assertDefined } from '../../base/index.ts'
import type { Disk, Random } from '../index.ts'
import { PowerLossFileSystem } from './file-system.ts'
import type { FileChange, FileInode } from './inode.ts'
import type { JournalRecord } from './journal.ts'

/** What {@link rebuildAt} needs to know. */
export interface RebuildRequest {
  readonly journal: readonly JournalRecord[]
  /** The power fails after this many records, 0 to `journal.length`. See `momentAt` for a time. */
  readonly moment: number
  /** The directory, as the journal names it, to rebuild. */
  readonly sourceDirectory: string
  /** Where to write it; must not exist or be empty. */
  readonly targetDirectory: string
  readonly targetDisk: Disk
  /** Decides what becomes of everything unsynced. */
  readonly random: Random
}

/**
 * Rebuilds a recorded directory as a power loss could have left it: what had been synced, and of the rest each change
 * whole, torn or not at all. When the directory itself was lost, the target is left empty.
 */
export async function rebuildAt(request: RebuildRequest): Promise<void> {
  const fileSystem = replay(request.journal.slice(0, request.moment))
  fileSystem.losePower(request.random)
  await request.targetDisk.makeDirectory(request.targetDirectory)
  await copyTree(fileSystem, request.sourceDirectory, request.targetDisk, request.targetDirectory)
}

/** The file system after `journal`, with what was unsynced then still unsynced. */
export function replay(journal: readonly JournalRecord[]): PowerLossFileSystem {
  const fileSystem = new PowerLossFileSystem()
  let files = new Map<number, FileInode>()
  let changes = new Map<number, FileChange>()
  const fileOf = (number: number): FileInode =>
    assertDefined(files.get(number), 'a journal opens a file before using it')
  for (const { event } of journal) {
    switch (event.op) {
      case 'run':
        // The kernel still holds what the former run left unsynced: the next sync of the file covers it.
        for (const change of changes.values()) change.completed = true
        files = new Map()
        changes = new Map()
        break
      case 'adopt-file':
        fileSystem.adoptFile(event.path, [event.bytes])
        break
      case 'adopt-directory':
        if (fileSystem.find(event.path) === undefined) fileSystem.adoptDirectory(event.path)
        break
      case 'open':
        adoptParent(fileSystem, event.path)
        files.set(event.file, fileSystem.open(event.path, event.created ? 'create' : 'write'))
        break
      case 'write':
        changes.set(event.change, fileOf(event.file).write(event.position, event.bytes))
        break
      case 'truncate':
        changes.set(event.change, fileOf(event.file).truncate(event.sizeBytes))
        break
      case 'sync':
        syncFile(fileOf(event.file), event.changes, changes)
        for (const number of event.changes) changes.delete(number)
        break
      case 'make-directory':
        adoptParent(fileSystem, event.path)
        fileSystem.makeDirectory(event.path)
        break
      case 'rename':
        adoptParent(fileSystem, event.to)
        fileSystem.rename(event.path, event.to)
        break
      case 'remove':
        fileSystem.remove(event.path)
        break
      case 'sync-directory':
        if (fileSystem.find(event.path) === undefined) fileSystem.adoptDirectory(event.path)
        fileSystem.syncDirectory(event.path)
        break
      case 'mark':
        break
    }
  }
  return fileSystem
}

function syncFile(file: FileInode, covered: readonly number[], changes: ReadonlyMap<number, FileChange>): void {
  file.sync([...file.coverable(), ...covered.flatMap((number) => changes.get(number) ?? [])])
}

/** A parent that the journal never made was there before the recording. */
function adoptParent(fileSystem: PowerLossFileSystem, path: string): void {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
  if (fileSystem.find(parent) === undefined) fileSystem.adoptDirectory(parent)
}

async function copyTree(from: PowerLossFileSystem, source: string, to: Disk, target: string): Promise<void> {
  const inode = from.find(source)
  if (inode === undefined) return
  if (inode.kind === 'directory') {
    await to.makeDirectory(target)
    for (const name of inode.entries.keys()) await copyTree(from, `${source}/${name}`, to, `${target}/${name}`)
    return
  }
  const file = await to.open(target, 'create-new')
  try {
    for (const { position, bytes } of inode.current.extents()) await file.write(position, [bytes])
    await file.truncate(inode.current.length)
  } finally {
    await file.close()
  }
}
