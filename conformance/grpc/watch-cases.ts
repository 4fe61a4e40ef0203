import type { Case } from './case.ts'
import type { RecordingClient } from './client.ts'

async function puts(client: RecordingClient, ...pairs: readonly (readonly [string, string])[]): Promise<void> {
  for (const [key, value] of pairs) await client.quietly('Put', { key, value })
}

export const watchCases: readonly Case[] = [
  {
    name: 'created, events, cancelled; cancelled again; cancel of one that never was',
    run: async (client) => {
      const stream = client.watch()
      stream.send({ create_request: { key: 'w' } })
      await stream.next(1)
      await puts(client, ['w', '1'], ['other', '1'], ['w', '2'])
      await stream.events(2)
      stream.send({ cancel_request: { watch_id: 0 } })
      await stream.next(1)
      stream.send({ cancel_request: { watch_id: 0 } })
      stream.send({ cancel_request: { watch_id: 99 } })
      await stream.silence()
      await puts(client, ['w', '3'])
      await stream.silence()
      stream.cancel()
    },
  },
  {
    name: 'ids: chosen by server and client, duplicate, reused after cancel, negative',
    run: async (client) => {
      const stream = client.watch()
      for (const watch_id of [0, 5, 5, 0, 1, 0, -1, -2, '9223372036854775807']) {
        stream.send({ create_request: { key: 'i', watch_id } })
        await stream.next(1)
      }
      stream.send({ cancel_request: { watch_id: 5 } })
      await stream.next(1)
      stream.send({ create_request: { key: 'i', watch_id: 5 } })
      await stream.next(1)
      stream.cancel()
    },
  },
  {
    name: 'keys: empty, from-key, everything, an empty interval, a reversed one',
    run: async (client) => {
      const stream = client.watch()
      for (const [at, interval] of [
        {},
        { range_end: '\0' },
        { key: 'k', range_end: '\0' },
        { key: 'k', range_end: 'k' },
        { key: 'z', range_end: 'a' },
        { key: 'k' },
      ].entries()) {
        stream.send({ create_request: { ...interval, watch_id: at + 1 } })
        await stream.next(1)
      }
      await stream.silence()
      stream.cancel()
    },
  },
  {
    name: 'a start revision that is compacted, past, current and to come',
    run: async (client) => {
      const start = await client.revision()
      await puts(client, ['s', '1'], ['s', '2'], ['s', '3'], ['s', '4'])
      await client.call('Compact', { revision: start + 2 })
      for (const [plus, messages] of [
        [1, 2],
        [2, 2],
        [4, 2],
      ] as const) {
        const stream = client.watch()
        stream.send({ create_request: { key: 's', start_revision: start + plus } })
        await stream.next(messages)
        await stream.silence()
        stream.cancel()
      }
      const stream = client.watch()
      stream.send({ create_request: { key: 's', start_revision: start + 6 } })
      await stream.next(1)
      await puts(client, ['s', '5'])
      await stream.silence()
      await puts(client, ['s', '6'])
      await stream.events(1)
      stream.cancel()
      const negative = client.watch()
      negative.send({ create_request: { key: 's', start_revision: -3 } })
      await negative.next(1)
      await negative.silence()
      negative.cancel()
    },
  },
  {
    name: 'filters and previous values',
    run: async (client) => {
      const start = await client.revision()
      await puts(client, ['f', '1'], ['f', '2'])
      await client.quietly('DeleteRange', { key: 'f' })
      await client.quietly('DeleteRange', { key: 'f' })
      await puts(client, ['f', '3'])
      for (const [options, count] of [
        [{ filters: ['NOPUT'] }, 1],
        [{ filters: ['NODELETE'] }, 3],
        [{ filters: ['NOPUT', 'NODELETE'] }, 0],
        [{ prev_kv: true }, 4],
        [{ prev_kv: true, filters: ['NOPUT'] }, 1],
      ] as const) {
        const stream = client.watch()
        stream.send({ create_request: { key: 'f', start_revision: start + 1, ...options } })
        await stream.next(1)
        if (count > 0) await stream.events(count)
        await stream.silence()
        stream.cancel()
      }
    },
  },
  {
    name: 'the previous value of a compacted revision',
    run: async (client) => {
      const start = await client.revision()
      await puts(client, ['p', '1'], ['p', '2'], ['p', '3'])
      await client.call('Compact', { revision: start + 2, physical: true })
      const stream = client.watch()
      stream.send({ create_request: { key: 'p', start_revision: start + 2, prev_kv: true } })
      await stream.next(1)
      await stream.events(2)
      stream.cancel()
    },
  },
  {
    name: 'events of one transaction come in one message; a key written and deleted in neighbouring ones',
    run: async (client) => {
      const stream = client.watch()
      stream.send({ create_request: { key: 't/', range_end: 't0' } })
      await stream.next(1)
      const put = (key: string) => ({ request_put: { key, value: 'v' } })
      await client.quietly('Txn', { success: [put('t/3'), put('t/1'), put('t/2')] })
      await stream.next(1)
      await client.quietly('Txn', { success: [{ request_delete_range: { key: 't/', range_end: 't0' } }] })
      await stream.next(1)
      await client.quietly('Txn', { success: [put('t/1'), { request_delete_range: { key: 't/2' } }] })
      await stream.next(1)
      stream.cancel()
    },
  },
  {
    name: 'many watchers on one stream',
    run: async (client) => {
      const stream = client.watch()
      for (const [at, key] of ['m', 'm', 'n'].entries()) {
        stream.send({ create_request: { key, watch_id: at + 1 } })
        await stream.next(1)
      }
      await puts(client, ['n', '1'])
      await stream.next(1)
      stream.send({ cancel_request: { watch_id: 1 } })
      await stream.next(1)
      await puts(client, ['m', '1'])
      await stream.next(1)
      await stream.silence()
      stream.cancel()
    },
  },
  {
    name: 'progress on request: with watchers in step, and with none',
    run: async (client) => {
      const stream = client.watch()
      stream.send({ progress_request: {} })
      await stream.silence()
      stream.send({ create_request: { key: 'g' } })
      await stream.next(1)
      await puts(client, ['elsewhere', '1'])
      stream.send({ progress_request: {} })
      await stream.next(1)
      await stream.silence()
      stream.cancel()
    },
  },
  {
    name: 'an empty request is passed over',
    run: async (client) => {
      const stream = client.watch()
      stream.send({})
      stream.send({ create_request: { key: 'e' } })
      await stream.next(1)
      stream.cancel()
    },
  },
  {
    name: 'fragments: off and on, of one revision beyond the limit',
    run: async (client) => {
      const start = await client.revision()
      const put = (key: string, fill: string) => ({ request_put: { key, value: Buffer.alloc(700_000, fill) } })
      for (const fill of ['1', '2']) {
        await client.quietly('Txn', { success: [put('b/1', fill), put('b/2', fill)] })
      }
      // With the values before, the second revision takes 2.8 MB; the limit is 2 MiB.
      for (const fragment of [false, true]) {
        const stream = client.watch()
        stream.send({
          create_request: { key: 'b/', range_end: 'b0', start_revision: start + 2, prev_kv: true, fragment },
        })
        await stream.next(1)
        await stream.next(fragment ? 2 : 1)
        await stream.silence()
        stream.cancel()
      }
    },
  },
  {
    name: 'large history: all of it, in order',
    run: async (client) => {
      const start = await client.revision()
      const value = Buffer.alloc(600_000, 'x')
      for (const key of ['h/1', 'h/2', 'h/3', 'h/4', 'h/5']) await client.quietly('Put', { key, value })
      for (const fragment of [false, true]) {
        const stream = client.watch()
        stream.send({ create_request: { key: 'h/', range_end: 'h0', start_revision: start + 1, fragment } })
        await stream.next(1)
        await stream.events(5)
        await stream.silence()
        stream.cancel()
      }
    },
  },
]
