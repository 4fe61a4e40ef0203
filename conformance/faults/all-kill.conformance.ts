// SIGKILL of all members at once, under load, and restart; and what a member does about a damaged log: a torn last
// record is cut and fetched again from the peers, damage before it is refused.
import assert from 'node:assert/strict'
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { startCluster } from '../cluster.ts'
import type { Member } from '../member.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { checkWrites, sameRevision, summary } from './checks.ts'
import { figure } from './figures.ts'
import { Load, type WriteRecord } from './load.ts'

const rounds = 3
/** Frames begin here in a segment of the log, each at a multiple of a sector. */
const firstFrameOffset = 4096
const sectorBytes = 512

describe('SIGKILL of all members at once', { skip: skipWithoutSubject() }, () => {
  let cluster: Cluster
  const records: WriteRecord[] = []
  before(async () => {
    cluster = await startCluster({ kind: subjectKind })
  })
  after(() => cluster?.stop())

  it(`${rounds} times under load`, { timeout: 90_000 }, async () => {
    const { members } = cluster
    const readyMs: number[] = []
    for (let round = 0; round < rounds; round++) {
      const load = new Load(
        members.map((member) => member.endpoint),
        { prefix: `w/${round}/`, timeoutMs: 3000 },
      )
      load.start()
      await load.nextAcknowledged()
      await delay(1500)
      const exits = members.map((member) => member.exited())
      for (const member of members) member.kill('SIGKILL')
      await Promise.all(exits)
      await load.stop()
      records.push(...load.records)
      const atMs = performance.now()
      for (const member of members) member.start()
      await cluster.ready()
      readyMs.push(performance.now() - atMs)
      await checkWrites(members, records, 'w/')
    }
    const took = readyMs.map((ms) => ms.toFixed(0)).join(', ')
    figure(`${rounds} times all members killed: ${summary(records)}; serving again after ${took} ms`)
  })

  // `half-written` is what a power loss leaves; `rotten` also takes the last record that the member had acknowledged.
  for (const damage of ['half-written', 'rotten'] as const)
    it(`a last record that is ${damage} is cut, and the member catches up`, { timeout: 60_000 }, async () => {
      const member = await killedAtRest(cluster)
      damageTail(newestSegment(member), damage)
      member.start()
      await member.ready()
      const torn = Number(/node started.*tornBytes"?[=:]\s*(\d+)/.exec(lastStart(member.log()))?.[1])
      assert.ok(torn > 0, `the log line of the start tells the torn bytes: ${lastStart(member.log())}`)
      await checkWrites(cluster.members, records, 'w/')
    })

  it('damage before the last record is refused, with what to do', { timeout: 60_000 }, async () => {
    const member = await killedAtRest(cluster)
    flipByteAt(newestSegment(member), firstFrameOffset + 30)
    const logged = member.log().length
    member.start()
    const exit = await member.exited()
    const said = member.log().slice(logged)
    assert.notEqual(exit.code, 0, said)
    assert.match(said, /\.wal is damaged at byte 4096.*Rebuild it from its peers/s)
    assert.doesNotMatch(said, /^\s+at .*\.ts:\d+/m, 'no stack trace')
    const others = cluster.members.filter((each) => each !== member)
    await checkWrites(others, records, 'w/')
  })
})

/** Kills the last member when all have the same state, so that nothing depends on its disk. */
async function killedAtRest(cluster: Cluster): Promise<Member> {
  const channels = cluster.members.map((member) => new Channel(member.endpoint))
  await sameRevision(channels)
  for (const channel of channels) channel.close()
  const member = cluster.member(2)
  await member.crash()
  return member
}

/** The path of the newest segment that holds a frame. */
function newestSegment(member: Member): string {
  const folder = join(member.dataDir, 'wal')
  const names = readdirSync(folder).filter((name) => name.endsWith('.wal'))
  for (const name of names.sort().reverse()) {
    const path = join(folder, name)
    if (endOf(path) > firstFrameOffset) return path
  }
  throw new Error(`${folder} holds no frame`)
}

/** Where the last byte that is not zero ends. */
function endOf(path: string): number {
  const file = openSync(path, 'r')
  try {
    const chunk = Buffer.alloc(1024 * 1024)
    for (let at = fstatSync(file).size; at > 0; ) {
      const from = Math.max(0, at - chunk.length)
      const count = readSync(file, chunk, 0, at - from, from)
      for (let i = count - 1; i >= 0; i--) if (chunk[i] !== 0) return from + i + 1
      at = from
    }
    return 0
  } finally {
    closeSync(file)
  }
}

function damageTail(path: string, damage: 'half-written' | 'rotten'): void {
  const end = endOf(path)
  if (damage === 'rotten') {
    flipByteAt(path, end - 1)
    return
  }
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(700, 0xa5), 0, 700, Math.ceil(end / sectorBytes) * sectorBytes)
  closeSync(file)
}

function flipByteAt(path: string, at: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, at)
  byte[0] = byte[0]! ^ 0xff
  writeSync(file, byte, 0, 1, at)
  closeSync(file)
}

function lastStart(log: string): string {
  return (
    log
      .split('\n')
      .filter((line) => line.includes('node started'))
      .at(-1) ?? ''
  )
}
