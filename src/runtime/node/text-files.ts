/**
 * Text files of this machine, and when they change. A watch listens on the file's folder, since editors and deployment
 * tools replace files by rename, and looks at the file itself now and then, for file systems that tell nothing (network
 * mounts) and for what lies behind symbolic links.
 */
import { type FSWatcher, watch } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TextFiles } from '../index.ts'

/** A larger file is refused: what is read here is written by hand or by small programs. */
const fileBytesMax = 16 * 1024 * 1024
const lookIntervalMs = 1000
/** A writer that does not rename writes in several steps: wait until it is done. */
const settleMs = 20

export class NodeTextFiles implements TextFiles {
  async read(path: string): Promise<string> {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      if (size > fileBytesMax)
        throw new Error(`${path} has ${size} bytes; more than ${fileBytesMax} are not read: split or shorten it`)
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  }

  watch(path: string, onChange: () => void): () => void {
    return new FileWatch(path, onChange).stop
  }
}

class FileWatch {
  readonly stop: () => void
  private readonly path: string
  private readonly onChange: () => void
  private readonly interval: NodeJS.Timeout
  private folder: FSWatcher | undefined
  private settling: NodeJS.Timeout | undefined
  /** Of the file as it was looked at last; undefined before the first look. */
  private identity: string | undefined
  private isLooking = false
  private stopped = false

  constructor(path: string, onChange: () => void) {
    this.path = path
    this.onChange = onChange
    this.stop = () => this.end()
    this.listen()
    this.interval = setInterval(() => {
      if (this.folder === undefined) this.listen()
      void this.look()
    }, lookIntervalMs)
    this.interval.unref()
    void this.look()
  }

  private listen(): void {
    try {
      const folder = watch(dirname(this.path), { persistent: false }, () => this.settle())
      folder.on('error', () => {
        folder.close()
        if (this.folder === folder) this.folder = undefined
      })
      this.folder = folder
    } catch {
      // No such folder yet, or no more watches to be had: the looks remain.
      this.folder = undefined
    }
  }

  private settle(): void {
    if (this.stopped || this.settling !== undefined) return
    this.settling = setTimeout(() => {
      this.settling = undefined
      void this.look()
    }, settleMs)
    this.settling.unref()
  }

  private async look(): Promise<void> {
    if (this.isLooking || this.stopped) return
    this.isLooking = true
    const identity = await identityOf(this.path)
    this.isLooking = false
    if (this.stopped || identity === this.identity) return
    const isFirst = this.identity === undefined
    this.identity = identity
    // The first look only learns what is there; yet what changed since the caller read it must not be missed.
    if (!isFirst || identity !== absent) this.onChange()
  }

  private end(): void {
    this.stopped = true
    clearInterval(this.interval)
    clearTimeout(this.settling)
    this.folder?.close()
  }
}

const absent = 'absent'

async function identityOf(path: string): Promise<string> {
  try {
    const { ino, dev, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return absent
  }
}
