import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng } from '../../base/index.ts'
import { RecordTable } from './record-table.ts'

/** Counts the steps of a search by the revisions it looks at. */
class CountingTable extends RecordTable {
  looks = 0
  override main(slot: number): number {
    this.looks++
    return super.main(slot)
  }
}

describe('RecordTable', () => {
  it('finds any of a million versions in a logarithm of steps', () => {
    const table = new CountingTable()
    let head = -1
    for (let main = 2; main < 1_000_002; main++) head = table.append(main * 2, 0, 0, 1, false, head)
    const prng = new Prng('versions')
    for (let i = 0; i < 1000; i++) {
      const wanted = 2 + prng.below(1_000_000)
      table.looks = 0
      const slot = table.findAt(head, wanted * 2 + (i & 1))
      const { looks } = table
      assert.equal(table.main(slot), wanted * 2)
      assert.ok(looks < 400, `${looks} looks`)
    }
    assert.equal(table.findAt(head, 3), -1)
  })

  it('sees through pointers to slots that were freed or used again', () => {
    const table = new RecordTable()
    const slots: number[] = []
    for (let main = 1; main <= 20; main++) slots.push(table.append(main, 0, 0, 1, false, slots.at(-1) ?? -1))
    const head = slots.at(-1)!
    for (const slot of slots.splice(0, 12)) table.release(slot)
    assert.equal(table.main(table.first), 13)
    assert.equal(table.findAt(head, 12), -1)
    assert.equal(table.previous(slots[0]!), -1)
    for (let main = 30; main < 42; main++) table.append(main, 0, 0, 1, false, -1)
    for (let main = 13; main <= 20; main++) assert.equal(table.main(table.findAt(head, main)), main)
    assert.equal(table.findAt(head, 12), -1)
    assert.equal(table.count, 20)
  })

  it('keeps revisions of 53 bits, and the list in order', () => {
    const table = new RecordTable()
    const mains = [1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1, Number.MAX_SAFE_INTEGER]
    const slots = mains.map((main) => table.append(main, 7, 0xff_ffff, 300, true, -1))
    const seen: number[] = []
    for (let slot = table.first; slot >= 0; slot = table.after(slot)) seen.push(table.main(slot))
    assert.deepEqual(seen, mains)
    const slot = slots[5]!
    assert.deepEqual(
      [table.chunk(slot), table.offset(slot), table.length(slot), table.isTombstone(slot)],
      [7, 0xff_ffff, 300, true],
    )
    table.moveBytes(slot, 9, 5)
    assert.deepEqual(
      [table.chunk(slot), table.offset(slot), table.length(slot), table.isTombstone(slot)],
      [9, 5, 300, true],
    )
  })
})
