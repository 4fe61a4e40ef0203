import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { concatBytes } from '../../../base/index.ts'
import { RestoreError } from '../../replication/index.ts'
import { MemoryLeaseTable } from './lease-table.ts'

const id = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constantFrom(1n, 2n, 2n ** 53n + 1n))
const key = fc.constantFrom('a', 'b', '\xff', '\0')

function image(table: MemoryLeaseTable, chunkBytes = 1000): Uint8Array {
  const snapshot = table.snapshot()
  const chunks: Uint8Array[] = []
  for (let chunk = snapshot.next(chunkBytes); chunk !== undefined; chunk = snapshot.next(chunkBytes)) chunks.push(chunk)
  snapshot.close()
  return concatBytes(chunks)
}

function restored(bytes: Uint8Array, cut = bytes.length): MemoryLeaseTable {
  const table = new MemoryLeaseTable()
  const restorer = table.restore()
  for (let at = 0; at < bytes.length; at += cut) restorer.write(bytes.subarray(at, at + cut))
  restorer.finish()
  return table
}

test('the documented example', () => {
  const table = new MemoryLeaseTable()
  table.grant(0x2an, 60)
  assert.equal(Buffer.from(image(table)).toString('hex'), '01010000002a000000000000003c00000000000000')
})

test('keys go with their lease, in byte order, and only those still tied to it', () => {
  const table = new MemoryLeaseTable()
  table.grant(7n, 10)
  for (const key of ['b', '\xff', 'a', 'gone']) table.attach(7n, key)
  table.detach(7n, 'gone')
  table.detach(8n, 'a')
  assert.deepEqual(table.keys(7n), ['a', 'b', '\xff'])
  assert.deepEqual(table.revoke(7n), ['a', 'b', '\xff'])
  assert.equal(table.revoke(7n), undefined)
  assert.deepEqual(table.keys(7n), [])
  assert.throws(() => table.attach(7n, 'a'), { name: 'InvariantError' })
})

test('the image depends on the leases alone, not on the way there, and restores to the same', () => {
  const step = fc.record({ id, ttl: fc.nat(9_000_000_000), revoke: fc.boolean(), key })
  fc.assert(
    fc.property(
      fc.array(step),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 40 }),
      (steps, chunk, cut) => {
        const table = new MemoryLeaseTable()
        const model = new Map<bigint, number>()
        for (const { id, ttl, revoke, key } of steps) {
          if (revoke) {
            table.revoke(id)
            model.delete(id)
          } else if (!table.has(id)) {
            table.grant(id, ttl)
            table.attach(id, key)
            model.set(id, ttl)
          }
        }
        const other = new MemoryLeaseTable()
        for (const [id, ttl] of [...model].reverse()) other.grant(id, ttl)
        const bytes = image(table, chunk)
        assert.deepEqual(bytes, image(other))
        const again = restored(bytes, cut)
        assert.deepEqual(image(again), bytes)
        assert.equal(again.count, model.size)
        for (const [id, ttl] of model) assert.equal(again.ttlSeconds(id), ttl)
      },
    ),
  )
})

test('an image is of its moment', () => {
  const table = new MemoryLeaseTable()
  for (let i = 1n; i <= 10n; i++) table.grant(i, 60)
  const snapshot = table.snapshot()
  const chunks = [snapshot.next(40)]
  for (let i = 1n; i <= 10n; i++) table.revoke(i)
  table.grant(99n, 1)
  for (let chunk = snapshot.next(40); chunk !== undefined; chunk = snapshot.next(40)) chunks.push(chunk)
  assert.deepEqual([...restored(concatBytes(chunks as Uint8Array[])).ids()], [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 9n, 10n])
})

test('a damaged image is refused and changes nothing', () => {
  const table = new MemoryLeaseTable()
  table.grant(1n, 60)
  table.grant(2n, 60)
  const good = image(table)
  const damaged = [
    good.subarray(0, -1),
    good.subarray(0, 3),
    concatBytes([good, good]),
    good.with(0, 9),
    good.with(5, 2),
    good.with(20, 255),
  ]
  for (const bytes of damaged) {
    assert.throws(() => {
      const restorer = table.restore()
      restorer.write(bytes)
      restorer.finish()
    }, RestoreError)
    assert.equal(table.count, 2)
  }
})

test('any bytes restore or are refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        restored(bytes)
      } catch (error) {
        assert.ok(error instanceof RestoreError)
      }
    }),
  )
})
