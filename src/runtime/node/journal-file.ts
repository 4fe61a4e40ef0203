import * as fs from 'node:fs'
import type { Disk } from '../index.ts'
import { decodeJournal, encodeJournalHeader, encodeJournalRecord, RecordingDisk } from '../power-loss/index.ts'

/** Milliseconds since the machine started: the one clock that all its processes share and nothing steps. */
export function machineMonotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/**
 * Wraps `disk` so that all it does is recorded in the file `journalPath`, after what an earlier run recorded there.
 * Records are stamped with {@link machineMonotonicMs}. Each is handed to the kernel before the caller goes on, so it
 * survives a SIGKILL; for tests, since it blocks the event loop.
 */
export function recordDiskToFile(disk: Disk, journalPath: string): RecordingDisk {
  const descriptor = fs.openSync(journalPath, 'a+', 0o640)
  const append = (bytes: Uint8Array): void => {
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(descriptor, bytes, done)
  }
  const recorded = fs.readFileSync(descriptor)
  if (recorded.length === 0) append(encodeJournalHeader())
  else fs.ftruncateSync(descriptor, decodeJournal(recorded).endBytes)
  return new RecordingDisk(disk, { sink: (record) => append(encodeJournalRecord(record)), nowMs: machineMonotonicMs })
}
