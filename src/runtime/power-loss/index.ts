export { PowerLossFileSystem, type PowerLossReport } from './file-system.ts'
export type { FileChange, FileInode } from './inode.ts'
export {
  decodeJournal,
  encodeJournalHeader,
  encodeJournalRecord,
  type JournalEvent,
  type JournalRecord,
  type JournalSink,
  momentAt,
} from './journal.ts'
export { type RebuildRequest, rebuildAt } from './rebuild.ts'
export { RecordingDisk, type RecordingDiskOptions } from './recording-disk.ts'
