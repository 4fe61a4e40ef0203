import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { IntervalTree, infiniteEnd } from './interval-tree.ts'

const key = fc.string({ unit: fc.constantFrom('\0', 'a', 'b', '\xff'), maxLength: 3 })
const end = fc.oneof(key, fc.constant(infiniteEnd))

test('finds what a list finds, whatever is set and deleted', () => {
  const operation = fc.record({ kind: fc.constantFrom('set', 'set', 'delete', 'stab'), start: key, end })
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 150 }), (operations) => {
      const tree = new IntervalTree<number>()
      const list = new Map<string, { start: string; end: string; value: number }>()
      operations.forEach(({ kind, start, end }, value) => {
        const name = `${start}|${end}`
        if (kind === 'set') {
          tree.set(start, end, value)
          list.set(name, { start, end, value })
        } else if (kind === 'delete') {
          assert.equal(tree.delete(start, end), list.delete(name))
        }
        assert.equal(tree.violation(), undefined)
        assert.equal(tree.size, list.size)
        assert.equal(tree.get(start, end), list.get(name)?.value)
        const found: number[] = []
        tree.stab(start, (entry) => found.push(entry))
        const expected = [...list.values()].filter((range) => range.start <= start && start < range.end)
        assert.deepEqual(found.sort(), expected.map((range) => range.value).sort())
      })
    }),
  )
})

test('stays shallow when ranges come in order', () => {
  const tree = new IntervalTree<number>()
  for (let i = 0; i < 10_000; i++) tree.set(String(i).padStart(6, '0'), String(i + 1).padStart(6, '0'), i)
  assert.equal(tree.violation(), undefined)
  const found: number[] = []
  tree.stab('004711x', (value) => found.push(value))
  assert.deepEqual(found, [4711])
  for (let i = 0; i < 10_000; i++) assert.ok(tree.delete(String(i).padStart(6, '0'), String(i + 1).padStart(6, '0')))
  assert.equal(tree.size, 0)
})
