// What the tests of long streams stand on: bytes that tell their own place, and how much memory a process has taken.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'

/** Not a power of two, so that a piece that was lost, doubled or moved shows. */
const period = 65_521
const pieceBytes = 256 << 10
/** The period over and over, so that any piece from any place in it lies in one stretch. */
const pattern = Buffer.alloc(period + (8 << 20))
for (let at = 0; at < period; at++) pattern[at] = (Math.imul(at, 2_654_435_761) >>> 24) ^ at
for (let at = period; at < pattern.length; at += period) {
  pattern.copy(pattern, at, 0, Math.min(period, pattern.length - at))
}

/** The bytes of a stream from `offset` on; at most 8 MiB. Not to be changed. */
export function patternAt(offset: number, length: number): Buffer {
  const start = offset % period
  return pattern.subarray(start, start + length)
}

/** Checks a stream piece by piece. */
export class PatternCheck {
  /** That have come, all of them right. */
  bytes = 0

  take(piece: Buffer): void {
    assert.equal(piece.compare(patternAt(this.bytes, piece.length)), 0, `a wrong piece at ${this.bytes}`)
    this.bytes += piece.length
  }
}

/** Writes as much as is taken, up to `bytes`, and ends. What was written so far is `written()`. */
export function writePattern(to: Writable, bytes: number): { readonly written: () => number } {
  let written = 0
  const write = (): void => {
    for (let isOpen = true; isOpen && written < bytes; ) {
      const piece = patternAt(written, Math.min(pieceBytes, bytes - written))
      written += piece.length
      isOpen = to.write(piece)
    }
    if (written < bytes) to.once('drain', write)
    else to.end()
  }
  write()
  return { written: () => written }
}

/** Resolves with how many bytes came once the stream has ended in order; rejects when it broke or a byte was wrong. */
export function checkPattern(from: Readable): Promise<number> {
  const check = new PatternCheck()
  return new Promise((resolve, reject) => {
    from.on('data', (piece: Buffer) => {
      try {
        check.take(piece)
      } catch (error) {
        from.destroy(error as Error)
      }
    })
    from.on('end', () => resolve(check.bytes))
    from.on('error', reject)
    from.on('close', () => reject(new Error(`it was closed after ${check.bytes} bytes`)))
  })
}

export const megabyte = 1 << 20

function memoryOf(processId: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${processId}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) * 1024
}

/** From now on the kernel notes the most memory that the process holds. */
export function beginPeak(processId: number): void {
  writeFileSync(`/proc/${processId}/clear_refs`, '5')
}

/** The most resident memory since `beginPeak`, as the kernel noted it: nothing between two samples is missed. */
export function peakBytes(processId: number): number {
  return memoryOf(processId, 'VmHWM')
}

export function residentBytes(processId: number): number {
  return memoryOf(processId, 'VmRSS')
}
