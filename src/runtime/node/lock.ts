/**
 * An exclusive claim on a path that the kernel frees when the process dies.
 *
 * Node offers no file lock of its own, so SQLite takes it: an exclusive transaction on an empty database holds a POSIX
 * `fcntl` lock on the file (LockFileEx on Windows). Such a lock goes by inode, so it also works between containers that
 * share a volume, and it cannot go stale. A process id in a file could: ids are reused, and differ between containers.
 * SQLite also keeps its own table of the locks of this process, where `fcntl` alone would let a second claim pass.
 *
 * `<path>` is the locked file; `<path>.owner` carries the owner's line for the message to a second claimant. The line
 * is separate because closing *any* descriptor of a file drops this process's `fcntl` locks on it: nothing but SQLite
 * may open `<path>`.
 */
import * as fs from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { DiskError, type DiskLock } from '../index.ts'
import { diskErrorFrom } from './disk-errors.ts'

/** SQLite's result codes for a lock that somebody else holds. */
const sqliteBusy = 5
const sqliteLocked = 6
const sqliteCannotOpen = 14

interface SqliteError extends Error {
  readonly errcode?: number
  readonly errstr?: string
}

/** Claims `path`, making the file when absent. The claim ends with `release`, or with the process. */
export function acquireLock(path: string, owner: string): DiskLock {
  const ownerPath = `${path}.owner`
  const database = openExclusively(path, ownerPath)
  try {
    fs.writeFileSync(ownerPath, `${owner.replaceAll(/\s+/g, ' ')}\n`, { mode: 0o640 })
  } catch (error) {
    database.close()
    throw diskErrorFrom(error as NodeJS.ErrnoException, 'write the owner of the lock', ownerPath)
  }
  let released = false
  return {
    async release() {
      if (released) return
      released = true
      fs.rmSync(ownerPath, { force: true })
      database.close()
    },
  }
}

function openExclusively(path: string, ownerPath: string): DatabaseSync {
  const { DatabaseSync } = loadSqlite()
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (error) {
    if (database?.isOpen) database.close()
    throw lockErrorFrom(error as SqliteError, path, ownerPath)
  }
}

function lockErrorFrom(error: SqliteError, path: string, ownerPath: string): DiskError {
  // The low byte is the kind; the rest says more about it.
  const kind = (error.errcode ?? 0) & 0xff
  if (kind === sqliteBusy || kind === sqliteLocked) {
    const message = `${path} is held by a live process: ${readOwner(ownerPath)}. Stop it first, or choose another data directory.`
    return new DiskError('LOCKED', path, message, { cause: error })
  }
  if (kind === sqliteCannotOpen) {
    try {
      fs.accessSync(path.slice(0, Math.max(path.lastIndexOf('/'), 1)), fs.constants.W_OK)
    } catch (cause) {
      return diskErrorFrom(cause as NodeJS.ErrnoException, 'lock', path)
    }
  }
  const message = `cannot lock: ${path}: ${error.errstr ?? error.message}. Remove this file (it holds no data), then try again.`
  return new DiskError('IO', path, message, { cause: error })
}

function readOwner(ownerPath: string): string {
  try {
    return fs.readFileSync(ownerPath, 'utf8').trim() || 'owner not recorded'
  } catch {
    return 'owner not recorded'
  }
}

/** Loads `node:sqlite` without its ExperimentalWarning: Synod relies on nothing of it but the lock. */
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning
  process.emitWarning = ((...details: Parameters<typeof emitWarning>) => {
    const [warning, kind] = details as readonly unknown[]
    if (kind === 'ExperimentalWarning' && String(warning).includes('SQLite')) return
    emitWarning.apply(process, details)
  }) as typeof emitWarning
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
