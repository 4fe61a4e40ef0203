import type { Case } from './case.ts'
import type { Message, RecordingClient } from './client.ts'

const put = (key: string, value = 'v', more: Message = {}) => ({ request_put: { key, value, ...more } })
const range = (key: string, more: Message = {}) => ({ request_range: { key, ...more } })
const del = (key: string, more: Message = {}) => ({ request_delete_range: { key, ...more } })
const nested = (success: readonly Message[], compare: readonly Message[] = [], failure: readonly Message[] = []) => ({
  request_txn: { compare, success, failure },
})

/** One case that sends these requests in order. */
function sends(name: string, ...requests: readonly (readonly [string, Message])[]): Case {
  return {
    name,
    run: async (client) => {
      for (const [rpc, request] of requests) await client.call(rpc, request)
    },
  }
}

async function puts(client: RecordingClient, ...pairs: readonly (readonly [string, string])[]): Promise<void> {
  for (const [key, value] of pairs) await client.call('Put', { key, value })
}

const everything = { key: '\0', range_end: '\0' }

export const kvCases: readonly Case[] = [
  sends('an empty key', ['Put', { value: 'v' }], ['Range', {}], ['DeleteRange', {}], ['Range', { range_end: 'z' }]),
  sends(
    'an empty key in a transaction',
    ['Txn', { success: [put('')] }],
    ['Txn', { success: [range('')] }],
    ['Txn', { failure: [del('')] }],
    ['Txn', { compare: [{ target: 'VERSION', version: 1 }] }],
    ['Txn', { success: [nested([put('')])] }],
  ),
  sends('a request operation that is empty', ['Txn', { success: [{}] }], ['Txn', { failure: [{}] }], ['Txn', {}]),
  sends(
    'options of a put that contradict each other',
    ['Put', { key: 'a', value: 'v', ignore_value: true }],
    ['Put', { key: 'a', ignore_value: true }],
    ['Put', { key: 'a', value: 'v', lease: 5, ignore_lease: true }],
    ['Put', { key: 'a', value: 'v', ignore_lease: true }],
    ['Put', { key: 'a', value: 'v', lease: 5 }],
    ['Put', { key: 'a', value: 'v', lease: -1 }],
    ['Put', { key: 'a', value: '1', prev_kv: true }],
    ['Put', { key: 'a', ignore_value: true, prev_kv: true }],
    ['Put', { key: 'a', value: '2', ignore_lease: true, prev_kv: true }],
    ['Put', { key: 'a', ignore_value: true, ignore_lease: true, prev_kv: true }],
    ['Range', { key: 'a' }],
    ['Txn', { success: [put('a', 'v', { ignore_value: true })] }],
    ['Txn', { success: [put('a', 'v', { lease: 5, ignore_lease: true })] }],
    ['Txn', { success: [put('a', 'v', { lease: 5 })] }],
    ['Txn', { success: [put('absent', '', { ignore_value: true })] }],
    ['Txn', { success: [put('absent', 'v', { ignore_lease: true })] }],
  ),
  sends(
    'sort options that do not exist',
    ['Put', { key: 'a', value: '1' }],
    ['Range', { key: 'a', sort_order: 3 }],
    ['Range', { key: 'a', sort_order: -1 }],
    ['Range', { key: 'a', sort_target: 9 }],
    ['Range', { key: 'a', sort_target: -1, sort_order: 'ASCEND' }],
    ['Txn', { success: [range('a', { sort_target: 9 })] }],
    ['Txn', { success: [range('a', { sort_order: 9 })] }],
  ),
  sends(
    'a sort target without an order',
    ['Put', { key: 's/a', value: '2' }],
    ['Put', { key: 's/b', value: '1' }],
    ['Range', { key: 's/', range_end: 's0', sort_target: 'VALUE' }],
    ['Range', { key: 's/', range_end: 's0', sort_target: 'MOD' }],
    ['Range', { key: 's/', range_end: 's0', sort_target: 'VALUE', sort_order: 'ASCEND', limit: 1 }],
    ['Range', { key: 's/', range_end: 's0', sort_target: 'KEY', sort_order: 'DESCEND', limit: 1 }],
    ['Range', { key: 's/', range_end: 's0', sort_order: 'ASCEND', sort_target: 'VERSION', keys_only: true }],
  ),
  sends(
    'the interval forms of a range',
    ['Put', { key: 'a', value: '1' }],
    ['Put', { key: 'b', value: '2' }],
    ['Put', { key: 'c', value: '3' }],
    ['Range', everything],
    ['Range', { key: 'b', range_end: '\0' }],
    ['Range', { key: 'a', range_end: 'a' }],
    ['Range', { key: 'c', range_end: 'a' }],
    ['Range', { key: 'a', range_end: 'a\0' }],
    ['Range', { key: '\0', range_end: 'b' }],
    ['Range', { ...everything, limit: 2 }],
    ['Range', { ...everything, limit: 3 }],
    ['Range', { ...everything, limit: -5 }],
    ['Range', { ...everything, count_only: true, limit: 1 }],
    ['Range', { ...everything, count_only: true, keys_only: true }],
    ['DeleteRange', { key: 'c', range_end: 'a', prev_kv: true }],
    ['DeleteRange', { key: 'a', range_end: 'c', prev_kv: true }],
    ['DeleteRange', { key: 'b', range_end: '\0' }],
    ['DeleteRange', everything],
  ),
  {
    name: 'the revision filters of a range, alone, together, with limits and counts',
    run: async (client) => {
      const start = await client.revision()
      await puts(client, ['f/a', '1'], ['f/b', '1'], ['f/c', '1'], ['f/a', '2'], ['f/b', '2'])
      const all = { key: 'f/', range_end: 'f0' }
      for (const field of ['min_mod_revision', 'max_mod_revision', 'min_create_revision', 'max_create_revision']) {
        for (const plus of [1, 3, 4, 9]) await client.call('Range', { ...all, [field]: start + plus })
        await client.call('Range', { ...all, [field]: -1 })
        await client.call('Range', { ...all, [field]: start + 3, limit: 1 })
        await client.call('Range', { ...all, [field]: start + 3, count_only: true })
      }
      await client.call('Range', { ...all, min_mod_revision: start + 3, max_create_revision: start + 2, limit: 1 })
      await client.call('Range', {
        ...all,
        max_mod_revision: start + 4,
        sort_target: 'VALUE',
        sort_order: 'DESCEND',
        revision: start + 4,
      })
    },
  },
  {
    name: 'revisions to come, before the first, and negative',
    run: async (client) => {
      const start = await client.revision()
      await puts(client, ['r', '1'], ['r', '2'])
      for (const revision of [start, start + 1, start + 2, start + 3, -1, 1]) {
        await client.call('Range', { key: 'r', revision })
        await client.call('Range', { key: 'r', revision, serializable: true })
        await client.call('Txn', { success: [range('r', { revision })] })
      }
      await client.call('Compact', { revision: start + 9 })
      await client.call('Compact', { revision: -1 })
      await client.call('Compact', {})
    },
  },
  {
    name: 'compacted revisions',
    run: async (client) => {
      const start = await client.revision()
      await puts(client, ['c', '1'], ['c', '2'], ['c', '3'])
      await client.call('Compact', { revision: start + 2, physical: true })
      await client.call('Compact', { revision: start + 2 })
      await client.call('Compact', { revision: start + 1 })
      for (const plus of [1, 2, 3]) {
        await client.call('Range', { key: 'c', revision: start + plus })
        await client.call('Range', { key: 'c', revision: start + plus, count_only: true })
        await client.call('Txn', { success: [range('c', { revision: start + plus })] })
      }
      await client.call('Range', { key: 'c', revision: 1 })
    },
  },
  sends(
    'duplicate keys',
    ['Txn', { success: [put('d'), put('d')] }],
    ['Txn', { failure: [put('d'), put('d')] }],
    ['Txn', { success: [put('d'), del('d')] }],
    ['Txn', { success: [del('c', { range_end: 'e' }), put('d')] }],
    ['Txn', { success: [del('c', { range_end: 'd' }), put('d')] }],
    ['Txn', { success: [del('c', { range_end: '\0' }), put('d')] }],
    ['Txn', { success: [del('c', { range_end: 'e' }), del('d')] }],
    ['Txn', { success: [put('d', '1'), nested([put('d', '2')])] }],
    ['Txn', { success: [put('d', '1'), nested([], [], [put('d', '2')])] }],
    ['Txn', { success: [nested([put('d', '1')], [], [put('d', '2')])] }],
    ['Txn', { success: [nested([put('d', '1')]), nested([put('d', '2')])] }],
    ['Txn', { success: [nested([del('c', { range_end: 'e' })]), put('d')] }],
    ['Txn', { success: [nested([del('c', { range_end: 'e' })]), nested([put('d')])] }],
    ['Txn', { success: [put('d', '1')], failure: [put('d', '2')] }],
    ['Range', everything],
  ),
  {
    name: 'too many operations',
    run: async (client) => {
      const many = (count: number) => Array.from({ length: count }, (_, at) => put(`m/${at}`))
      const compares = (count: number) =>
        Array.from({ length: count }, (_, at) => ({ target: 'VERSION', key: `m/${at}`, version: 0 }))
      await client.call('Txn', { success: many(129) })
      await client.call('Txn', { failure: many(129) })
      await client.call('Txn', { compare: compares(129), success: [put('m')] })
      await client.call('Txn', { success: many(128) })
      await client.call('Txn', { compare: compares(128), success: many(1), failure: many(128) })
      await client.call('Txn', { success: [nested(many(129))] })
      await client.call('Txn', {
        success: [nested(many(100)), nested(many(100).map(({ request_put }) => put(`n${request_put.key}`)))],
      })
      await client.call('Range', { ...everything, count_only: true })
    },
  },
  {
    name: 'nested transactions see what came before them',
    run: async (client) => {
      await puts(client, ['n', '1'])
      const isOne = { target: 'VALUE', key: 'n', value: '1' }
      await client.call('Txn', {
        compare: [isOne],
        success: [nested([put('n', '2'), range('n')], [isOne], [range('n')]), range('n'), nested([range('n')])],
      })
      await client.call('Txn', { success: [nested([nested([nested([put('deep')])])]), range('deep')] })
      await client.call('Txn', {
        success: [put('x', '1'), nested([put('y', '1')], [{ target: 'VALUE', key: 'x', value: '1' }])],
      })
      await client.call('Txn', { success: [nested([])] })
      await client.call('Range', everything)
    },
  },
  {
    name: 'compares: every target and operator, on keys and on ranges',
    run: async (client) => {
      const start = await client.revision()
      const { ID } = await client.quietly('LeaseGrant', { TTL: 600, ID: 777 })
      await client.call('Put', { key: 'p/a', value: 'm', lease: ID })
      await puts(client, ['p/b', 'm'], ['p/b', 'n'])
      const operands: readonly (readonly [string, string, readonly (string | number)[]])[] = [
        ['VERSION', 'version', [0, 1, 2]],
        ['CREATE', 'create_revision', [0, start + 1, start + 2]],
        ['MOD', 'mod_revision', [0, start + 1, start + 3]],
        ['VALUE', 'value', ['', 'm', 'n']],
        ['LEASE', 'lease', [0, 777, 778]],
      ]
      for (const [target, field, values] of operands) {
        for (const result of ['EQUAL', 'NOT_EQUAL', 'GREATER', 'LESS']) {
          for (const value of values) {
            for (const where of [
              { key: 'p/a' },
              { key: 'absent' },
              { key: 'p/', range_end: 'p0' },
              { key: 'q/', range_end: 'q0' },
            ]) {
              await client.call('Txn', { compare: [{ target, result, [field]: value, ...where }] })
            }
          }
        }
      }
      await client.call('Txn', { compare: [{ target: 'VERSION', key: 'p/a' }] })
      await client.call('Txn', { compare: [{ target: 'VALUE', key: 'p/a' }] })
      await client.call('Txn', { compare: [{ target: 'VALUE', key: 'p/a', version: 1 }] })
      await client.call('Txn', { compare: [{ target: 9, key: 'p/a', version: 1 }] })
      await client.call('Txn', { compare: [{ target: 'VERSION', result: 9, key: 'p/a', version: 1 }] })
      await client.call('LeaseRevoke', { ID })
    },
  },
  sends(
    'one revision for all of a transaction, none for one that writes nothing',
    ['Txn', { success: [put('a', '1'), put('b', '1'), del('c')] }],
    ['Txn', { success: [del('c'), range('a')] }],
    ['DeleteRange', { key: 'absent' }],
    ['Txn', { success: [del('a', { prev_kv: true }), put('b', '2', { prev_kv: true }), range('a'), range('b')] }],
    ['Txn', { success: [put('e', '1'), del('a', { range_end: 'd' }), range('a', { range_end: 'z' })] }],
    ['Range', everything],
  ),
  {
    name: 'requests that are too large',
    run: async (client) => {
      const value = (size: number) => Buffer.alloc(size, 'x')
      await client.call('Put', { key: 'big', value: value(1_000_000) })
      await client.call('Put', { key: 'big', value: value(1_572_864) })
      await client.call('Put', { key: 'big', value: value(1_572_864 - 64) })
      await client.call('Txn', { success: [{ request_put: { key: 'big', value: value(1_600_000) } }] })
      await client.call('Put', { key: 'big', value: value(3_000_000) })
      await client.call('Range', { key: 'big' })
    },
  },
  {
    name: 'keys and values that are not text',
    run: async (client) => {
      const key = Buffer.from([0xff, 0x00, 0x80, 0xed, 0xa0, 0x80])
      await client.call('Put', { key, value: Buffer.from([0, 255, 254]) })
      await client.call('Put', { key: Buffer.from([0]), value: '' })
      await client.call('Put', { key: Buffer.from([0xff]), value: 'ff' })
      await client.call('Put', { key: Buffer.from([0xff, 0xff]), value: 'ffff' })
      await client.call('Put', { key: Buffer.from('😀'), value: 'surrogates' })
      await client.call('Put', { key: Buffer.from('\uffee'), value: 'above surrogates in UTF-16, below in bytes' })
      await client.call('Range', everything)
      await client.call('Range', { key, range_end: Buffer.from([0xff, 0xff]) })
      await client.call('DeleteRange', { key: Buffer.from([0xff]), range_end: '\0', prev_kv: true })
    },
  },
  sends(
    'maintenance',
    ['Alarm', {}],
    ['Alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE' }],
    ['Alarm', { action: 'DEACTIVATE' }],
    ['Alarm', { action: 'GET', alarm: 'CORRUPT', memberID: 5 }],
    ['Defragment', {}],
    ['HashKV', { revision: 9_999_999 }],
  ),
]
