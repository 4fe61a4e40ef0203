import { DiskError, type DiskErrorCode } from '../index.ts'

const codeOfErrno: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'NOT_FOUND',
  EEXIST: 'EXISTS',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
  EACCES: 'PERMISSION_DENIED',
  EPERM: 'PERMISSION_DENIED',
  EROFS: 'PERMISSION_DENIED',
  EBADF: 'CLOSED',
}

const adviceOf: Readonly<Record<DiskErrorCode, string>> = {
  NOT_FOUND: 'Check the path, and that nothing else removes files from the data directory.',
  EXISTS: 'Something else made it first; check that nothing else writes to the data directory.',
  NO_SPACE: 'Free space (or raise the quota) on this file system, or move the data directory to a larger one.',
  LOCKED: 'Stop the other process first, or choose another data directory.',
  PERMISSION_DENIED: 'Give this user read and write access to the path, on a file system that is not read-only.',
  CLOSED: 'The file was closed before this call.',
  IO: 'Check the disk and the kernel log.',
}

/** Maps what the operating system said. `action` completes "cannot …", for example `write 4096 bytes at 0`. */
export function diskErrorFrom(cause: NodeJS.ErrnoException, action: string, path: string): DiskError {
  const errno = cause.code ?? 'unknown error'
  const code = codeOfErrno[errno] ?? 'IO'
  return new DiskError(code, path, `cannot ${action}: ${path}: ${errno}. ${adviceFor(errno, code)}`, { cause })
}

function adviceFor(errno: string, code: DiskErrorCode): string {
  if (errno === 'EMFILE') return 'Raise the open-files limit of this process (ulimit -n).'
  if (errno === 'ENFILE') return 'Raise the open-files limit of this machine (sysctl fs.file-max).'
  if (errno === 'EISDIR') return 'A directory is where a file belongs; check the path.'
  return adviceOf[code]
}
