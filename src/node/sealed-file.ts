/**
 * A small file of named values that is replaced as a whole: `SYNOD <kind> <format version> <crc32c hex>\n<json>`.
 * Written to a temporary name, synced, renamed, and the directory synced: a crash leaves the old file or the new one.
 */
import { crc32c, utf8Bytes } from '../base/index.ts'
import { type Disk, DiskError } from '../runtime/index.ts'

const formatVersion = 1
/** A longer one is refused as damage: no writer comes near. */
const sizeBytesMax = 64 * 1024 * 1024

/** A file that cannot be trusted; the message says what to do. */
export class SealedFileError extends Error {
  override readonly name = 'SealedFileError'
}

export async function writeSealedFile(
  disk: Disk,
  directory: string,
  name: string,
  kind: string,
  value: Readonly<Record<string, unknown>>,
): Promise<void> {
  const body = utf8Bytes(JSON.stringify(value, undefined, 2))
  const head = utf8Bytes(`SYNOD ${kind} ${formatVersion} ${crc32c(body).toString(16)}\n`)
  const temporary = `${directory}/${name}.tmp`
  await disk.remove(temporary)
  const file = await disk.open(temporary, 'create')
  try {
    await file.writeDurably(0, [head, body])
  } finally {
    await file.close()
  }
  await disk.rename(temporary, `${directory}/${name}`)
  await disk.syncDirectory(directory)
}

/** Undefined when the file is not there. Rejects with a {@link SealedFileError} when it is damaged or too new. */
export async function readSealedFile(
  disk: Disk,
  directory: string,
  name: string,
  kind: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const path = `${directory}/${name}`
  let bytes: Uint8Array
  try {
    const file = await disk.open(path, 'read')
    try {
      bytes = await file.read(0, Math.min(await file.sizeBytes(), sizeBytesMax))
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof DiskError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
  const text = Buffer.from(bytes).toString('utf8')
  const match = /^SYNOD ([a-z-]+) (\d+) ([0-9a-f]+)\n(.*)$/s.exec(text)
  if (match === null || match[1] !== kind)
    throw new SealedFileError(`${path} is not a file of this kind, or it is damaged. Restore it from a backup.`)
  if (Number(match[2]) > formatVersion)
    throw new SealedFileError(`${path} has format ${match[2]}; this version knows ${formatVersion}. Run a newer Synod.`)
  if (crc32c(utf8Bytes(match[4]!)).toString(16) !== match[3])
    throw new SealedFileError(`${path} is damaged: its checksum does not match. Restore it from a backup.`)
  return JSON.parse(match[4]!) as Readonly<Record<string, unknown>>
}
