/** How a simulated disk misbehaves, what its operations go through, and what it draws for them. */
import { DiskError } from '../index.ts'
import type { CrashKind } from './node.ts'
import type { DelayRangeMs } from './random.ts'

/** How a node's disk behaves. */
export interface DiskFaults {
  /** How long all but syncs take. */
  readonly delayMs: DelayRangeMs
  /** How long syncs, of files and directories, and durable writes take. */
  readonly syncDelayMs: DelayRangeMs
  /** Files cannot grow and nothing can be made. What is there can be overwritten. */
  readonly full: boolean
  /** Syncs fail, and may lose what they were to make durable. */
  readonly failSyncs: boolean
  /**
   * What all files together may hold, in bytes. A write that needs more writes what fits and then fails. Room returns
   * when files are removed or truncated.
   */
  readonly capacityBytes: number
  /** Nothing returns until this is false again; then all that waited does, in order. */
  readonly stuck: boolean
  /** How likely an operation is stuck for a draw from `stuckMs`. */
  readonly stuckProbability: number
  readonly stuckMs: DelayRangeMs
  /** How likely an operation takes longer by a draw from `latencySpikeMs`. */
  readonly latencySpikeProbability: number
  readonly latencySpikeMs: DelayRangeMs
  /** How likely a read fails with `IO`. */
  readonly readErrorProbability: number
  /** How likely a write fails with `IO`: a prefix of it, drawn, is written all the same. */
  readonly writeErrorProbability: number
  /**
   * How likely a write lands, unnoticed, on other sectors of its file or of another. Its own place keeps the old bytes,
   * or zeros where the file grows.
   */
  readonly misdirectedWriteProbability: number
  /** How likely a read returns, unnoticed, what is elsewhere in the file. */
  readonly misdirectedReadProbability: number
}

export const healthyDisk: DiskFaults = {
  delayMs: [0.01, 0.05],
  syncDelayMs: [0.1, 0.4],
  full: false,
  failSyncs: false,
  capacityBytes: Number.POSITIVE_INFINITY,
  stuck: false,
  stuckProbability: 0,
  stuckMs: [100, 5_000],
  latencySpikeProbability: 0,
  latencySpikeMs: [10, 500],
  readErrorProbability: 0,
  writeErrorProbability: 0,
  misdirectedWriteProbability: 0,
  misdirectedReadProbability: 0,
}

/** Silent damage to bytes at rest. */
export interface DiskDamage {
  readonly kind: 'bit-rot' | 'write-misdirected'
  readonly path: string
  readonly position: number
  readonly length: number
  /** Whether a sync had covered all of the range. */
  readonly synced: boolean
}

/**
 * When a node crashes relative to one of its disk operations.
 * `before`: as it is asked for; nothing of it happened. `between`: a write is with the kernel, and the sync, renaming or
 * removal it asked for has not happened. `after`: it took effect, and the program never heard.
 */
export type CrashMoment = 'before' | 'between' | 'after'

/** A crash that waits for a disk operation. */
export interface CrashPlan {
  /** Operations to let pass, this one included. */
  remaining: number
  readonly kind: CrashKind
  readonly moment: CrashMoment
  /** Which operations count. */
  readonly counts: (operation: DiskOperation) => boolean
}

/** One call of a disk or file method. */
export interface DiskOperation {
  /** 'disk-write', 'disk-write-durably', 'disk-sync', 'disk-read', 'disk-rename', … */
  readonly kind: string
  readonly path: string
}

/** What a failed sync says. */
export function syncError(path: string): DiskError {
  return ioError('sync', path)
}

export function ioError(action: string, path: string): DiskError {
  return new DiskError('IO', path, `cannot ${action}: ${path}: EIO. Check the disk and the kernel log.`)
}

export function noSpaceError(path: string): DiskError {
  return new DiskError('NO_SPACE', path, `cannot write: ${path}: ENOSPC. Free space on this file system.`)
}
