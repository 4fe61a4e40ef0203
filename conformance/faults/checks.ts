// What must hold of the writes after any fault: none that was acknowledged is lost, none was applied twice, none that
// was refused was applied, and all members have the same history.
import assert from 'node:assert/strict'
import { ProtobufWriter } from '../../src/base/index.ts'
import { EtcdConnection } from '../../src/cli/etcd-connection.ts'
import { decodeFields, decodeKeyValue, type KeyValue } from '../../src/cli/etcd-messages.ts'
import type { Member } from '../member.ts'
import { Channel } from './channel.ts'
import type { WriteRecord } from './load.ts'
import { hashKv, range, readAll, until, view } from './rpc.ts'

/** Counts of outcomes, for the line of figures. */
export function summary(records: readonly WriteRecord[]): string {
  const count = (outcome: WriteRecord['outcome']) => records.filter((record) => record.outcome === outcome).length
  return `${count('acknowledged')} acknowledged, ${count('refused')} refused, ${count('unknown')} unknown`
}

/** Checks the writes on every member. Waits until all have the same revision first. */
export async function checkWrites(
  members: readonly Member[],
  records: readonly WriteRecord[],
  prefix: string,
): Promise<void> {
  const channels = members.map((member) => new Channel(member.endpoint))
  try {
    await sameRevision(channels)
    const hashes = await Promise.all(channels.map((channel) => hashKv(channel)))
    for (const hash of hashes) assert.equal(hash, hashes[0], 'members have different histories')
    for (const channel of channels) checkState(records, await readAll(channel, prefix), channel.endpoint)
    await checkHistory(members[0]!.clientUrl, records, prefix)
  } finally {
    for (const channel of channels) channel.close()
  }
}

/** Waits until every member has applied everything, and returns the revision. */
export function sameRevision(channels: readonly Channel[]): Promise<number> {
  return until('all members to have the same revision', async () => {
    const read = await range(channels[0]!, 'no such key', { timeoutMs: 3000 })
    if (read.kind !== 'ok') return undefined
    const views = await Promise.all(channels.map((channel) => view(channel)))
    const revision = views[0]?.revision
    return revision !== undefined && views.every((each) => each?.revision === revision) ? revision : undefined
  })
}

/** Checks one member's keys against what clients were told. */
export function checkState(records: readonly WriteRecord[], found: ReadonlyMap<string, KeyValue>, where: string): void {
  let missing = 0
  let first = ''
  for (const record of records) {
    const kv = found.get(record.key)
    if (kv === undefined) {
      if (record.outcome !== 'acknowledged') continue
      missing++
      if (first === '') first = `${record.key}, acknowledged at revision ${record.revision} by ${record.endpoint}`
      continue
    }
    assert.equal(kv.version, 1, `${record.key} was applied ${kv.version} times (${where})`)
    assert.equal(Buffer.from(kv.value).toString(), record.value, `${record.key} has a foreign value (${where})`)
    assert.notEqual(record.outcome, 'refused', `${record.key} was refused (${record.text}) and is there (${where})`)
    if (record.outcome === 'acknowledged') assert.equal(kv.modRevision, record.revision, `${record.key} (${where})`)
  }
  assert.equal(missing, 0, `${missing} acknowledged writes are missing (${where}), the first: ${first}`)
}

/** Watches from revision 1: each key has one event, at the revision that its client was told. */
async function checkHistory(url: string, records: readonly WriteRecord[], prefix: string): Promise<void> {
  const channel = new Channel(new URL(url).host)
  const present = await readAll(channel, prefix)
  channel.close()
  const events = await historyOf(url, prefix, present.size)
  const seen = new Map<string, number>()
  for (const kv of events) {
    const key = Buffer.from(kv.key).toString()
    assert.equal(seen.get(key), undefined, `${key} was put twice, at ${seen.get(key)} and ${kv.modRevision}`)
    seen.set(key, kv.modRevision)
  }
  for (const { key, outcome, revision } of records)
    if (outcome === 'acknowledged') assert.equal(seen.get(key), revision, `${key} in the history`)
}

/** The puts under `prefix` since revision 1, once there are `count`. */
async function historyOf(url: string, prefix: string, count: number): Promise<KeyValue[]> {
  const connection = await EtcdConnection.open([url])
  try {
    const stream = connection.stream('/etcdserverpb.Watch/Watch')
    const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
    const create = new ProtobufWriter().bytes(1, Buffer.from(prefix)).bytes(2, Buffer.from(end)).int(3, 1).finish()
    stream.send(new ProtobufWriter().bytes(1, create).finish())
    const events: KeyValue[] = []
    for await (const message of stream.messages()) {
      for (const event of decodeFields(message).all(11)) events.push(decodeKeyValue(decodeFields(event).bytes(2)))
      if (events.length >= count) break
    }
    return events
  } finally {
    connection.close()
  }
}

/** The one member that leads now. */
export async function leaderOf(members: readonly Member[], channels: readonly Channel[]): Promise<Member> {
  return until('a leader', async () => {
    const views = await Promise.all(channels.map((channel) => view(channel)))
    const leading = members.flatMap((member, at) => (views[at]?.leads === true ? [{ member, view: views[at] }] : []))
    leading.sort((a, b) => b.view.term - a.view.term)
    return leading[0]?.member
  })
}
