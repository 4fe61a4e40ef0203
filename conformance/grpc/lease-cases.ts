import type { Case } from './case.ts'

// The greatest lease id, and ones that a floating-point number cannot hold.
const bigIds = ['9223372036854775807', '9007199254740993', '9007199254740995']

export const leaseCases: readonly Case[] = [
  {
    name: 'chosen ids, duplicates, and ids beyond 2^53',
    run: async (client) => {
      for (const ID of ['12345', '12345', ...bigIds, '-5']) {
        await client.call('LeaseGrant', { TTL: 600, ID })
        await client.call('Put', { key: `l/${ID}`, value: 'v', lease: ID })
        await client.call('LeaseTimeToLive', { ID, keys: true }, ['TTL'])
      }
      await client.call('Range', { key: 'l/', range_end: 'l0' })
      for (const ID of ['12345', ...bigIds, '-5']) await client.call('LeaseRevoke', { ID })
      await client.call('Range', { key: 'l/', range_end: 'l0' })
      await client.call('LeaseLeases')
    },
  },
  {
    name: 'leases that do not exist',
    run: async (client) => {
      await client.call('LeaseRevoke', { ID: 404 })
      await client.call('LeaseRevoke', {})
      await client.call('LeaseTimeToLive', { ID: 404, keys: true })
      await client.call('LeaseTimeToLive', {})
      const stream = client.keepAlive()
      stream.send({ ID: 404 })
      await stream.next(1)
      stream.send({ ID: 0 })
      await stream.next(1)
      stream.send({ ID: -7 })
      await stream.next(1)
      await stream.end()
    },
  },
  {
    name: 'times to live: zero, negative, short, longest, too long',
    run: async (client) => {
      for (const TTL of ['0', '-1', '1', '2', '5', '9000000000', '9000000001', '9223372036854775807']) {
        const { ID } = await client.call('LeaseGrant', { TTL }, ['ID'])
        if (ID !== undefined) await client.quietly('LeaseRevoke', { ID })
      }
    },
  },
  {
    name: 'keep-alive on one stream, of several leases, also through a member that does not lead',
    run: async (client) => {
      await client.call('LeaseGrant', { TTL: 100, ID: 1001 })
      await client.call('LeaseGrant', { TTL: 200, ID: 1002 })
      const stream = client.keepAlive()
      for (const ID of [1001, 1002, 1001, 1003, 1002]) {
        stream.send({ ID })
        await stream.next(1)
      }
      await client.call('LeaseRevoke', { ID: 1001 })
      stream.send({ ID: 1001 })
      await stream.next(1)
      await client.call('LeaseRevoke', { ID: 1002 })
      await stream.end()
    },
  },
  {
    name: 'keys move between leases, and off them',
    run: async (client) => {
      await client.call('LeaseGrant', { TTL: 600, ID: 2001 })
      await client.call('LeaseGrant', { TTL: 600, ID: 2002 })
      await client.call('Put', { key: 'm', value: '1', lease: 2001 })
      await client.call('Put', { key: 'm', value: '2', lease: 2002 })
      await client.call('LeaseTimeToLive', { ID: 2001, keys: true }, ['TTL'])
      await client.call('LeaseTimeToLive', { ID: 2002, keys: true }, ['TTL'])
      await client.call('Put', { key: 'm', value: '3', ignore_lease: true })
      await client.call('Put', { key: 'm', ignore_value: true, lease: 2001 })
      await client.call('Range', { key: 'm' })
      await client.call('Put', { key: 'm', ignore_value: true })
      await client.call('Range', { key: 'm' })
      await client.call('Txn', { success: [{ request_put: { key: 'm', value: '4', lease: 2002 } }] })
      await client.call('Txn', { success: [{ request_delete_range: { key: 'm' } }] })
      await client.call('LeaseTimeToLive', { ID: 2002, keys: true }, ['TTL'])
      await client.call('Put', { key: 'm', value: '5' })
      await client.call('LeaseRevoke', { ID: 2001 })
      await client.call('LeaseRevoke', { ID: 2002 })
      await client.call('Range', { key: 'm' })
    },
  },
  {
    name: 'a revoked lease deletes all its keys in one revision',
    run: async (client) => {
      await client.call('LeaseGrant', { TTL: 600, ID: 3001 })
      for (const key of ['k/3', 'k/1', 'k/2']) await client.call('Put', { key, value: 'v', lease: 3001 })
      const start = await client.revision()
      await client.call('LeaseRevoke', { ID: 3001 })
      await client.call('Range', { key: 'k/', range_end: 'k0' })
      const stream = client.watch()
      stream.send({ create_request: { key: 'k/', range_end: 'k0', start_revision: start + 1 } })
      await stream.next(1)
      await stream.next(1)
      stream.cancel()
    },
  },
  {
    name: 'a lease without keys changes no revision',
    run: async (client) => {
      await client.call('LeaseGrant', { TTL: 600, ID: 4001 })
      await client.call('Range', { key: 'x' })
      await client.call('LeaseRevoke', { ID: 4001 })
      await client.call('Range', { key: 'x' })
    },
  },
]
