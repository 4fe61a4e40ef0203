import assert from 'node:assert/strict'
import type { Change } from '../../index.ts'
import { failsWith, PromiseList, upTo } from './ground.ts'

const list = new PromiseList('Watches')
export const watchPromises = list.promises

const told = (change: Change): string =>
  change.type === 'put' ? `${change.key.split('/').at(-1)}=${change.entry.text()}` : `-${change.key.split('/').at(-1)}`

list.onCoordination('a latest watch tells what is there, then converges to the newest of every key', async (ground) => {
  const [writer, watcher] = await ground.programs(2)
  const prefix = ground.name('')
  await writer!.kv.put(`${prefix}kept`, 'first')
  await writer!.kv.put(`${prefix}gone`, 'first')
  const state = new Map<string, string>()
  const ending = new AbortController()
  const watching = (async () => {
    for await (const change of watcher!.kv.watch({ prefix, mode: 'latest', signal: ending.signal }))
      if (change.type === 'put') state.set(change.key.slice(prefix.length), change.entry.text())
      else state.delete(change.key.slice(prefix.length))
  })()
  const ended = assert.rejects(watching, failsWith('CANCELLED'))
  await ground.until('what was there is told', () => state.size === 2)
  await Promise.all(upTo(20).map((i) => writer!.kv.put(`${prefix}k${i % 4}`, String(i))))
  await writer!.kv.delete(`${prefix}gone`)
  for (const i of upTo(4)) await writer!.kv.put(`${prefix}k${i}`, `last-${i}`)
  await ground.until(
    'it has converged',
    () => state.size === 5 && !state.has('gone') && upTo(4).every((i) => state.get(`k${i}`) === `last-${i}`),
  )
  ending.abort()
  await ended
})

list.onHistory(
  'a history watch tells every change once and in order, from any revision that is kept',
  async (ground) => {
    const [writer, watcher] = await ground.programs(2)
    const prefix = ground.name('')
    const { revision } = await writer!.kv.put(`${prefix}a`, '0')
    const expected = ['a=0']
    const write = async (from: number): Promise<void> => {
      for (const i of upTo(40)) {
        await writer!.kv.put(`${prefix}${i % 3 === 0 ? 'b' : 'a'}`, String(from + i))
        expected.push(`${i % 3 === 0 ? 'b' : 'a'}=${from + i}`)
      }
      await writer!.kv.delete(`${prefix}b`)
      expected.push('-b')
    }
    await write(1)
    const writing = write(100)
    const seen: Change[] = []
    for await (const change of watcher!.kv.watch({ prefix, fromRevision: revision })) {
      seen.push(change)
      if (seen.length === 83) break
    }
    await writing
    assert.deepEqual(seen.map(told), expected)
    for (const [i, change] of seen.entries())
      if (i > 0) assert.ok(change.revision > seen[i - 1]!.revision, 'revisions rise')
  },
)

list.onHistory('watching from the revision after a read misses nothing and repeats nothing', async (ground) => {
  const [writer, watcher] = await ground.programs(2)
  const key = ground.name()
  const { revision } = await writer!.kv.put(key, 'before')
  await writer!.kv.put(key, 'after')
  for await (const change of watcher!.kv.watch({ key, fromRevision: revision + 1 })) {
    assert.equal(change.type === 'put' && change.entry.text(), 'after')
    break
  }
})
