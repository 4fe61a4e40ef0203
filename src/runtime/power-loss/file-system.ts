/**
 * A file system in memory that knows what a power loss may leave of it: the simulated disk stores its files here, and
 * `rebuildAt` replays a journal into it. It is as strict as POSIX allows, not as kind as one file system happens to be:
 * a file's bytes are durable by its own sync only, and its name by a sync of its directory only.
 *
 * I1. `entries` of a directory is `durableEntries` with all of `unsynced` applied in order.
 * I2. An entry change survives a power loss only with every earlier unsynced one that it builds on (same name, same
 *     inode): no crash leaves a rename's target without the file, or one file under two names.
 */
import { concatBytes } from '../../base/index.ts'
import { DiskError, type DiskErrorCode, type OpenMode, type Random } from '../index.ts'
import { FileInode } from './inode.ts'

export class DirectoryInode {
  readonly kind = 'directory'
  entries = new Map<string, Inode>()
  durableEntries = new Map<string, Inode>()
}

export type Inode = FileInode | DirectoryInode

/** Names set and unset together, as one creation, rename or removal does. */
interface EntryChange {
  /** Whose sync makes it durable. */
  readonly directory: DirectoryInode
  readonly names: readonly { readonly in: DirectoryInode; readonly name: string; readonly inode: Inode | undefined }[]
  /** The inodes it moves, adds or unlinks. */
  readonly inodes: readonly Inode[]
}

/** What a power loss took: a file's bytes, or a creation, renaming or removal of names. */
export interface PowerLossReport {
  readonly fate: 'lost' | 'torn'
  readonly what: 'bytes' | 'names'
  readonly path: string
  /** Of bytes, where they began. */
  readonly position: number
}

interface Place {
  readonly parent: DirectoryInode
  readonly name: string
  readonly inode: Inode | undefined
}

const openMakesFile: Readonly<Record<OpenMode, boolean>> = {
  read: false,
  write: false,
  create: true,
  'create-new': true,
}

export class PowerLossFileSystem {
  readonly root = new DirectoryInode()
  private unsynced: EntryChange[] = []

  /** Whether `open` would make a file. */
  wouldCreate(path: string, mode: OpenMode): boolean {
    return openMakesFile[mode] && this.find(path) === undefined
  }

  open(path: string, mode: OpenMode): FileInode {
    const place = this.locate(path, 'open')
    if (place.inode?.kind === 'directory') throw diskError('IO', path, 'open', 'a directory is there')
    if (place.inode !== undefined) {
      if (mode === 'create-new') throw diskError('EXISTS', path, 'open', 'a file is already there')
      return place.inode
    }
    if (!openMakesFile[mode]) throw diskError('NOT_FOUND', path, 'open', 'no such file')
    const inode = new FileInode()
    this.change(place.parent, [{ in: place.parent, name: place.name, inode }], [inode])
    return inode
  }

  readDirectory(path: string): string[] {
    return [...this.directory(path, 'list the directory').entries.keys()].sort()
  }

  makeDirectory(path: string): void {
    let directory = this.root
    for (const name of partsOf(path)) {
      const found = directory.entries.get(name)
      if (found?.kind === 'file') throw diskError('EXISTS', path, 'make the directory', 'a file is already there')
      const next = found ?? new DirectoryInode()
      if (found === undefined) this.change(directory, [{ in: directory, name, inode: next }], [next])
      directory = next
    }
  }

  stat(path: string): { readonly kind: 'file' | 'directory'; readonly sizeBytes: number } | undefined {
    const inode = this.find(path)
    if (inode === undefined) return undefined
    return { kind: inode.kind, sizeBytes: inode.kind === 'file' ? inode.current.length : 0 }
  }

  rename(from: string, to: string): void {
    const source = this.locate(from, 'rename')
    const target = this.locate(to, 'rename')
    if (source.inode === undefined) throw diskError('NOT_FOUND', from, 'rename', 'no such file')
    if (source.inode === target.inode) return
    if (target.inode?.kind === 'directory' && (source.inode.kind === 'file' || target.inode.entries.size > 0)) {
      throw diskError('IO', to, 'rename to', 'a directory is there')
    }
    if (target.inode?.kind === 'file' && source.inode.kind === 'directory') {
      throw diskError('NOT_FOUND', to, 'rename to', 'a file is where a directory belongs')
    }
    this.change(
      target.parent,
      [
        { in: source.parent, name: source.name, inode: undefined },
        { in: target.parent, name: target.name, inode: source.inode },
      ],
      target.inode === undefined ? [source.inode] : [source.inode, target.inode],
    )
  }

  remove(path: string): void {
    const parts = partsOf(path)
    const name = parts.pop()
    const parent = this.walk(parts)
    const inode = name === undefined ? undefined : parent?.entries.get(name)
    if (parent === undefined || name === undefined || inode === undefined) return
    this.change(parent, [{ in: parent, name, inode: undefined }], [inode])
  }

  syncDirectory(path: string): void {
    const directory = this.directory(path, 'sync the directory')
    for (const change of this.unsynced) {
      if (change.directory === directory) applyDurably(change)
    }
    this.unsynced = this.unsynced.filter((change) => change.directory !== directory)
  }

  /** Makes `path` a directory, as if it had been there, durable, all along. */
  adoptDirectory(path: string): void {
    this.adopt(partsOf(path))
  }

  /** Makes `path` a file with these bytes, as if it had been there, durable, all along. Kept as it is when present. */
  adoptFile(path: string, chunks: readonly Uint8Array[]): void {
    if (this.find(path) !== undefined) return
    const parts = partsOf(path)
    const name = parts.pop()!
    const parent = this.adopt(parts)
    const inode = new FileInode()
    inode.write(0, concatBytes(chunks))
    inode.settle()
    parent.entries.set(name, inode)
    parent.durableEntries.set(name, inode)
  }

  /** Loses, keeps or (a file's bytes) tears everything that no sync has covered. */
  losePower(random: Random, onLoss?: (report: PowerLossReport) => void): void {
    const lostInodes = new Set<Inode>()
    const lostNames = new Map<DirectoryInode, Set<string>>()
    for (const change of this.unsynced) {
      const dependsOnLost =
        change.inodes.some((inode) => lostInodes.has(inode)) ||
        change.names.some((entry) => lostNames.get(entry.in)?.has(entry.name))
      if (random.below(2) === 0 && !dependsOnLost) {
        applyDurably(change)
        continue
      }
      onLoss?.({ fate: 'lost', what: 'names', path: change.names.map((entry) => entry.name).join(', '), position: 0 })
      for (const inode of change.inodes) lostInodes.add(inode)
      for (const entry of change.names) {
        const names = lostNames.get(entry.in)
        if (names === undefined) lostNames.set(entry.in, new Set([entry.name]))
        else names.add(entry.name)
      }
    }
    this.unsynced = []
    losePowerBelow(this.root, '', random, onLoss)
  }

  /** The process died and the kernel lives: what it had begun to write is written, so the next sync covers it. */
  completeAll(): void {
    completeBelow(this.root)
  }

  find(path: string): Inode | undefined {
    const parts = partsOf(path)
    const name = parts.pop()
    const parent = this.walk(parts)
    return name === undefined ? parent : parent?.entries.get(name)
  }

  /** All files at or below `path`, by path, sorted. */
  filesBelow(path: string): { readonly path: string; readonly inode: FileInode }[] {
    const inode = this.find(path)
    if (inode === undefined) return []
    if (inode.kind === 'file') return [{ path, inode }]
    const base = path === '/' ? '' : path
    return [...inode.entries.keys()].sort().flatMap((name) => this.filesBelow(`${base}/${name}`))
  }

  private change(directory: DirectoryInode, names: EntryChange['names'], inodes: readonly Inode[]): void {
    for (const entry of names) {
      if (entry.inode === undefined) entry.in.entries.delete(entry.name)
      else entry.in.entries.set(entry.name, entry.inode)
    }
    this.unsynced.push({ directory, names, inodes })
  }

  private adopt(parts: readonly string[]): DirectoryInode {
    let directory = this.root
    for (const name of parts) {
      let next = directory.entries.get(name)
      if (next?.kind !== 'directory') {
        next = new DirectoryInode()
        directory.entries.set(name, next)
        directory.durableEntries.set(name, next)
      }
      directory = next
    }
    return directory
  }

  private walk(parts: readonly string[]): DirectoryInode | undefined {
    let directory = this.root
    for (const name of parts) {
      const next = directory.entries.get(name)
      if (next?.kind !== 'directory') return undefined
      directory = next
    }
    return directory
  }

  private locate(path: string, action: string): Place {
    const parts = partsOf(path)
    const name = parts.pop()
    const parent = this.walk(parts)
    if (name === undefined) throw diskError('IO', path, action, 'it is the root directory')
    if (parent === undefined) throw diskError('NOT_FOUND', path, action, 'its directory does not exist')
    return { parent, name, inode: parent.entries.get(name) }
  }

  private directory(path: string, action: string): DirectoryInode {
    const inode = this.find(path)
    if (inode?.kind !== 'directory') throw diskError('NOT_FOUND', path, action, 'no such directory')
    return inode
  }
}

function applyDurably(change: EntryChange): void {
  for (const entry of change.names) {
    if (entry.inode === undefined) entry.in.durableEntries.delete(entry.name)
    else entry.in.durableEntries.set(entry.name, entry.inode)
  }
}

function losePowerBelow(
  directory: DirectoryInode,
  path: string,
  random: Random,
  onLoss: ((report: PowerLossReport) => void) | undefined,
): void {
  directory.entries = new Map(directory.durableEntries)
  for (const [name, inode] of directory.entries) {
    const below = `${path}/${name}`
    if (inode.kind === 'directory') losePowerBelow(inode, below, random, onLoss)
    else {
      inode.losePower(random, (fate, { position }) => onLoss?.({ fate, what: 'bytes', path: below, position }))
    }
  }
}

function completeBelow(directory: DirectoryInode): void {
  for (const inode of directory.entries.values()) {
    if (inode.kind === 'directory') completeBelow(inode)
    else inode.completeAll()
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}

function diskError(code: DiskErrorCode, path: string, action: string, why: string): DiskError {
  return new DiskError(code, path, `cannot ${action}: ${path}: ${why}. Check the path.`)
}
