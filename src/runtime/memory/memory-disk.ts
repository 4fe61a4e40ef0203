/**
 * A disk that lives in this process and ends with it: files for engines that keep nothing (`memory:`) and for tests.
 *
 * - I1  `nodes` holds each path without a slash at its end (`/` apart), and with each path its parent, a directory.
 */
import { type Disk, DiskError, type DiskFile, type DiskLock, type OpenMode } from '../index.ts'
import { FileContents } from './file-contents.ts'
import { MemoryFile } from './memory-file.ts'

const availableBytes = 2 ** 40

type DiskNode = FileContents | 'directory'

export class MemoryDisk implements Disk {
  private readonly nodes = new Map<string, DiskNode>([['/', 'directory']])
  /** The owner's line by path. */
  private readonly locks = new Map<string, string>()

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const place = normal(path)
    const found = this.nodes.get(place)
    if (found === 'directory') throw new DiskError('IO', path, `${path} is a directory`)
    if (found !== undefined) {
      if (mode === 'create-new') throw new DiskError('EXISTS', path, `${path} exists already`)
      return new MemoryFile(path, found, mode !== 'read')
    }
    if (mode === 'read' || mode === 'write') throw notFound(path)
    this.requireParent(path)
    const made = new FileContents()
    this.nodes.set(place, made)
    return new MemoryFile(path, made, true)
  }

  async readDirectory(path: string): Promise<string[]> {
    this.requireDirectory(path)
    const place = normal(path)
    const names: string[] = []
    for (const each of this.nodes.keys()) if (each !== '/' && parentOf(each) === place) names.push(nameOf(each))
    return names.sort()
  }

  async makeDirectory(path: string): Promise<void> {
    const place = normal(path)
    for (let at = place; at !== '/'; at = parentOf(at)) {
      const found = this.nodes.get(at)
      if (found instanceof FileContents) throw new DiskError('EXISTS', path, `${path} is there and is not a directory`)
    }
    for (let at = place; !this.nodes.has(at); at = parentOf(at)) this.nodes.set(at, 'directory')
  }

  async stat(path: string): ReturnType<Disk['stat']> {
    const found = this.nodes.get(normal(path))
    if (found === undefined) return undefined
    return found === 'directory' ? { kind: 'directory', sizeBytes: 0 } : { kind: 'file', sizeBytes: found.length }
  }

  async rename(from: string, to: string): Promise<void> {
    const source = normal(from)
    const target = normal(to)
    const found = this.nodes.get(source)
    if (found === undefined) throw notFound(to)
    this.requireParent(to)
    if (source === target) return
    if (this.nodes.get(target) === 'directory') throw new DiskError('EXISTS', to, `${to} is a directory`)
    this.nodes.delete(source)
    this.nodes.set(target, found)
    for (const [place, node] of [...this.nodes]) {
      if (!place.startsWith(`${source}/`)) continue
      this.nodes.delete(place)
      this.nodes.set(target + place.slice(source.length), node)
    }
  }

  async remove(path: string): Promise<void> {
    const place = normal(path)
    this.nodes.delete(place)
    for (const each of [...this.nodes.keys()]) if (each.startsWith(`${place}/`)) this.nodes.delete(each)
  }

  async syncDirectory(path: string): Promise<void> {
    this.requireDirectory(path)
  }

  async lock(path: string, owner: string): Promise<DiskLock> {
    this.requireParent(path)
    const place = normal(path)
    const holder = this.locks.get(place)
    if (holder !== undefined)
      throw new DiskError(
        'LOCKED',
        path,
        `${path} is held: ${holder}. Stop it first, or choose another data directory.`,
      )
    this.locks.set(place, owner)
    let released = false
    return {
      release: async () => {
        if (!released) this.locks.delete(place)
        released = true
      },
    }
  }

  async availableBytes(): Promise<number> {
    return availableBytes
  }

  private requireDirectory(path: string): void {
    if (this.nodes.get(normal(path)) !== 'directory') throw notFound(path)
  }

  private requireParent(path: string): void {
    if (this.nodes.get(parentOf(normal(path))) !== 'directory') throw notFound(path)
  }
}

function normal(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  return `/${parts.join('/')}`
}

function parentOf(place: string): string {
  return place.slice(0, Math.max(1, place.lastIndexOf('/')))
}

function nameOf(place: string): string {
  return place.slice(place.lastIndexOf('/') + 1)
}

function notFound(path: string): DiskError {
  return new DiskError('NOT_FOUND', path, `${path} does not exist`)
}
