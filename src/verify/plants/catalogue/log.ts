import { plants } from './plant-list.ts'

/** Mistakes in the write-ahead log and in snapshots. */
export const logPlants = plants([
  {
    name: 'log-write-without-sync',
    mistake: 'A frame counts as durable when the kernel has it.',
    breaks: 'Durable before acknowledged.',
    consensus: 'raft',
    scenario: 'crash-all',
    seedsMax: 5,
    caughtBy: 'inside',
    edits: [
      {
        file: 'storage/wal/wal.ts',
        find: 'await segment.file.writeDurably(chain.writeOffset, [bytes])',
        replace: 'await segment.file.write(chain.writeOffset, [bytes])',
      },
    ],
  },
  {
    name: 'log-checksum-ignored',
    mistake: 'Frames are read back without a look at their checksum.',
    breaks: 'A torn or rotten frame becomes part of the log.',
    consensus: 'raft',
    scenario: 'rotten-log',
    seedsMax: 8,
    edits: [
      {
        file: 'storage/wal/frame.ts',
        find: 'return crc32c(bytes.subarray(offset + 4, offset + length), crcSeed) === view.getUint32(offset, true)',
        replace: 'return length > 0 && crcSeed >= 0 && view.getUint32(offset + 8, true) === length',
      },
    ],
  },
  {
    name: 'log-torn-tail-kept',
    mistake: 'What a crash left after the last whole frame stays, and the log goes on behind it.',
    breaks: 'At the next start the torn frame is damage in the middle of the log.',
    consensus: 'raft',
    scenario: 'failing-syncs',
    seedsMax: 8,
    caughtBy: 'inside',
    edits: [
      {
        file: 'storage/wal/recovery.ts',
        find: 'if (chunks.length > 0) await file.writeDurably(from, chunks)',
        replace: 'if (chunks.length > 1000) await file.writeDurably(from, chunks)',
      },
      {
        file: 'storage/wal/recovery.ts',
        find: 'syncedOffset: scan.end }',
        replace: 'syncedOffset: alignUp(scan.dirtyEnd) }',
      },
    ],
  },
  {
    name: 'log-hard-state-not-saved',
    mistake: 'The two-copy file of term and vote is written once and never again.',
    breaks: 'Raft figure 2: term and vote are persistent.',
    consensus: 'raft',
    scenario: 'forgetful-voter',
    seedsMax: 5,
    caughtBy: 'inside',
    edits: [
      {
        file: 'storage/wal/hard-state-file.ts',
        find: 'return this.twin.write(this.encode())',
        replace:
          'return this.twin.found === undefined && this.groups.size === 0 ? this.twin.write(this.encode()) : Promise.resolve()',
      },
    ],
  },
  {
    name: 'snapshot-rename-without-directory-sync',
    mistake: 'A snapshot gets its name by a rename that is not synced, and the log before it is let go.',
    breaks: 'POSIX: a rename is durable when its directory is.',
    consensus: 'raft',
    scenario: 'crash-all',
    seedsMax: 6,
    caughtBy: 'inside',
    edits: [
      {
        file: 'storage/snapshot/writer.ts',
        find: '        await disk.syncDirectory(directory)\n',
        replace: '        await disk.stat(directory)\n',
      },
    ],
  },
  {
    name: 'snapshot-not-synced-before-rename',
    mistake: 'A snapshot gets its name before its bytes are on disk.',
    breaks: 'A power loss leaves a name without its contents, and the log before it is gone.',
    consensus: 'raft',
    scenario: 'crash-all',
    seedsMax: 6,
    caughtBy: 'inside',
    edits: [
      {
        file: 'storage/snapshot/writer.ts',
        find: 'await this.file.writeDurably(this.position, [encodeEnd(this.chunks, this.payload, this.crc)])',
        replace: 'await this.file.write(this.position, [encodeEnd(this.chunks, this.payload, this.crc)])',
      },
    ],
  },
  {
    name: 'log-replay-keeps-overwritten-entries',
    mistake: 'At a restart, entries that another leader’s had replaced come back behind them.',
    breaks: 'Raft §5.3: a conflicting entry removes all that follow it.',
    consensus: 'raft',
    scenario: 'long-lost-log',
    seedsMax: 12,
    caughtBy: 'inside',
    edits: [
      {
        file: 'storage/wal/replay.ts',
        find: '    this.gapless = true\n    this.nextIndex = index + 1\n  }\n\n  wants(',
        replace: '    this.gapless = true\n    this.nextIndex = Math.max(this.nextIndex, index + 1)\n  }\n\n  wants(',
      },
      {
        file: 'storage/wal/replay.ts',
        find: 'if (index !== this.nextIndex || !this.gapless) this.truncate(index)',
        replace: 'if (index > this.nextIndex || !this.gapless) this.truncate(index)',
      },
    ],
  },
  {
    name: 'log-released-too-early',
    mistake: 'The log is let go up to what was applied, not up to what a durable snapshot holds.',
    breaks: 'Invariant K2 of engine/replication/snapshot-keeper.ts.',
    consensus: 'raft',
    scenario: 'crash-at-every-disk-operation',
    seedsMax: 6,
    caughtBy: 'inside',
    edits: [
      {
        file: 'engine/replication/snapshot-keeper.ts',
        find: '    this.underWay = true\n',
        replace: '    this.underWay = true\n    this.port.release(meta.index)\n',
      },
    ],
  },
])
