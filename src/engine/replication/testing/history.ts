/**
 * What callers of a replicated journal saw, and whether one order of the journal explains all of it.
 *
 * The journal fixes the order of writes, so linearizability needs no search: a write acts at its place, a read that saw
 * `length` commands right after the last of them, and what ended before something else began must not act after it.
 */
import assert from 'node:assert/strict'

export interface WriteRecord {
  readonly command: string
  readonly member: string
  readonly startedAt: number
  endedAt: number
  fate: 'open' | 'applied' | 'not-applied' | 'unknown'
  reason: string
  /** For `applied`: the journal's length right after it, as its caller was told. */
  length: number
}

export interface ReadRecord {
  readonly member: string
  readonly startedAt: number
  endedAt: number
  fate: 'open' | 'answered' | 'refused'
  reason: string
  length: number
  last: string | undefined
}

interface Span {
  readonly startedAt: number
  readonly endedAt: number
  /** Where in the journal it acts: after that many commands. */
  readonly point: number
  readonly what: string
}

export class History {
  readonly writes: WriteRecord[] = []
  readonly reads: ReadRecord[] = []
  /** Rises with every beginning and every end: a total order of what the callers saw. */
  private moment = 0

  write(member: string, command: string): WriteRecord {
    const startedAt = ++this.moment
    const record: WriteRecord = {
      command,
      member,
      startedAt,
      endedAt: Number.POSITIVE_INFINITY,
      fate: 'open',
      reason: '',
      length: 0,
    }
    this.writes.push(record)
    return record
  }

  read(member: string): ReadRecord {
    const startedAt = ++this.moment
    const record: ReadRecord = {
      member,
      startedAt,
      endedAt: Number.POSITIVE_INFINITY,
      fate: 'open',
      reason: '',
      length: 0,
      last: undefined,
    }
    this.reads.push(record)
    return record
  }

  end(record: WriteRecord | ReadRecord): void {
    assert.equal(record.endedAt, Number.POSITIVE_INFINITY, 'a call was answered twice')
    record.endedAt = ++this.moment
  }

  /** Fails with a sentence when the final `journal` does not explain what was seen. */
  check(journal: readonly string[]): void {
    const places = new Map(journal.map((command, i): [string, number] => [command, i + 1]))
    assert.equal(places.size, journal.length, 'a command was applied twice')
    const spans: Span[] = []
    for (const write of this.writes) {
      const place = places.get(write.command)
      places.delete(write.command)
      const what = `write ${write.command}`
      if (write.fate === 'applied') assert.equal(place, write.length, `${what} was acknowledged at another place`)
      if (write.fate === 'not-applied') assert.equal(place, undefined, `${what} was told ${write.reason}, and applied`)
      if (place !== undefined) {
        const endedAt = write.fate === 'applied' ? write.endedAt : Number.POSITIVE_INFINITY
        spans.push({ startedAt: write.startedAt, endedAt, point: place, what })
      }
    }
    assert.equal(places.size, 0, 'the journal holds what nobody wrote')
    for (const read of this.reads) {
      if (read.fate !== 'answered') continue
      const what = `read on ${read.member} at ${read.startedAt} of ${read.length}`
      assert.equal(journal[read.length - 1], read.last, `${what} saw a state that never was`)
      spans.push({ startedAt: read.startedAt, endedAt: read.endedAt, point: read.length + 0.5, what })
    }
    checkRealTime(spans)
  }
}

function checkRealTime(spans: readonly Span[]): void {
  const byStart = [...spans].sort((a, b) => a.startedAt - b.startedAt)
  const byEnd = [...spans].sort((a, b) => a.endedAt - b.endedAt)
  let ended = 0
  let latest: Span | undefined
  for (const span of byStart) {
    for (; ended < byEnd.length && byEnd[ended]!.endedAt < span.startedAt; ended++)
      if (latest === undefined || byEnd[ended]!.point > latest.point) latest = byEnd[ended]
    if (latest !== undefined)
      assert.ok(latest.point <= span.point, `not linearizable: ${span.what} began after ${latest.what} had ended`)
  }
}
