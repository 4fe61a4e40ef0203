// One member's disk runs full: it acknowledges nothing, hands leadership away, serves reads of both kinds while the
// others go on writing, and resumes by itself when there is room again. Its data directory is a small tmpfs, which takes
// the right to mount one.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ProtobufWriter } from '../../src/base/index.ts'
import type { Member } from '../member.ts'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { checkWrites, leaderOf, summary } from './checks.ts'
import { figure, spread } from './figures.ts'
import { layOutMembers } from './layout.ts'
import { Load, type WriteRecord } from './load.ts'
import { memberIdOf, put, range, until, view } from './rpc.ts'

/** Room for one segment of the log, and not for the next. */
const smallBytes = 90 * 1024 * 1024
const largeBytes = 400 * 1024 * 1024
const fillerBytes = 512 * 1024

const folder = mkdtempSync(join(tmpdir(), 'synod-disk-full-'))
const small = join(folder, 'n1')
mkdirSync(small)
const mounted = mount('tmpfs', '-o', `size=${smallBytes}`)
process.on('exit', () => {
  spawnSync('umount', ['-l', small])
  rmSync(folder, { recursive: true, force: true })
})

function mount(kind: string, ...options: readonly string[]): boolean {
  return spawnSync('mount', ['-t', kind, ...options, kind, small]).status === 0
}

function reason(): string | false {
  if (subjectKind !== 'synod') return 'made for Synod'
  return mounted ? skipWithoutSubject() : 'a tmpfs cannot be mounted here: run as root'
}

describe('the disk of one member is full', { skip: reason() }, () => {
  let members: Member[]
  let channels: Channel[]
  const records: WriteRecord[] = []
  let fullAtMs = 0
  before(async () => {
    members = await layOutMembers(folder, [{ name: 'n1' }, { name: 'n2' }, { name: 'n3' }])
    for (const member of members) member.start()
    await Promise.all(members.map((member) => member.ready()))
    channels = members.map((member) => new Channel(member.endpoint))
  })
  after(async () => {
    for (const channel of channels ?? []) channel.close()
    await Promise.all((members ?? []).map((member) => member.crash()))
  })

  it('it hands leadership away and acknowledges nothing', { timeout: 60_000 }, async () => {
    await makeLeader(members, channels, 0)
    const value = 'f'.repeat(fillerBytes)
    const full = () => /the disk is full: writes are refused/.test(members[0]!.log())
    for (let n = 0; n < 300 && !full(); n++) await put(channels[0]!, 'filler', `${n}${value}`)
    assert.ok(full(), 'the log line that says so')
    fullAtMs = performance.now()
    await until('another leader', async () => {
      const seen = await view(channels[0]!)
      return seen !== undefined && !seen.leads && seen.hasLeader ? true : undefined
    })
    const handedMs = performance.now() - fullAtMs
    const reply = await put(channels[0]!, 'refused here', 'x', 3000)
    assert.notEqual(reply.kind, 'ok', 'the full member acknowledges nothing')
    assert.equal((await put(channels[1]!, 'taken here', 'x')).kind, 'ok')
    figure(`disk full: another leader after ${handedMs.toFixed(0)} ms; a write there was ${describeReply(reply)}`)
  })

  it('it serves reads of both kinds while the others write', { timeout: 60_000 }, async () => {
    const load = new Load(members.slice(1).map((member) => member.endpoint))
    load.start()
    const serializableMs: number[] = []
    const linearizableMs: number[] = []
    try {
      for (let round = 0; round < 40; round++) {
        const record = await load.nextAcknowledged()
        serializableMs.push(await timed(() => range(channels[0]!, 'taken here', { serializable: true })))
        linearizableMs.push(
          await timed(async () => {
            const reply = await range(channels[0]!, record.key, { timeoutMs: 5000 })
            assert.equal(reply.kind, 'ok', `round ${round}: ${describeReply(reply)}`)
            return reply
          }),
        )
        await delay(100)
      }
    } finally {
      await load.stop()
    }
    records.push(...load.records)
    assert.equal((await view(channels[0]!))?.leads, false, 'it does not lead again')
    figure(
      `on the full member: serializable reads ${spread(serializableMs)}, linearizable ${spread(linearizableMs)}; ` +
        `elsewhere ${summary(load.records)}`,
    )
  })

  it('it resumes by itself when there is room', { timeout: 60_000 }, async () => {
    assert.equal(spawnSync('mount', ['-o', `remount,size=${largeBytes}`, small]).status, 0)
    const atMs = performance.now()
    await until('a write there', async () =>
      (await put(channels[0]!, 'taken again', 'x', 1000)).kind === 'ok' ? true : undefined,
    )
    figure(`room again: the first write there after ${(performance.now() - atMs).toFixed(0)} ms`)
    const load = new Load([members[0]!.endpoint], { prefix: 'w/again/' })
    load.start()
    await load.nextAcknowledged()
    await load.stop()
    records.push(...load.records)
    await checkWrites(members, records, 'w/')
  })
})

/** Moves leadership to one member by asking the present leader. */
async function makeLeader(members: readonly Member[], channels: readonly Channel[], at: number): Promise<void> {
  const id = await memberIdOf(channels[at]!)
  for (let attempt = 0; attempt < 20; attempt++) {
    const leader = await leaderOf(members, channels)
    if (leader === members[at]) return
    const request = new ProtobufWriter().int64(1, id).finish()
    await channels[members.indexOf(leader)]!.call('/etcdserverpb.Maintenance/MoveLeader', request, 5000)
    await delay(300)
  }
  throw new Error(`${members[at]!.name} does not become the leader`)
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const atMs = performance.now()
  await work()
  return performance.now() - atMs
}

function describeReply(reply: { readonly kind: string; readonly text?: string }): string {
  return reply.kind === 'ok' ? 'acknowledged' : `refused (${reply.text ?? reply.kind})`
}
