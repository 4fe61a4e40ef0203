import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { bufferLedgerOf } from './index.ts'

function ledgerWith(bytesMax: number) {
  const ledger = bufferLedgerOf(createNodeRuntime({ logLevel: 'error' }).scheduler)
  ledger.bytesMax = bytesMax
  return ledger
}

test('what matters least goes first', () => {
  const ledger = ledgerWith(1_000)
  const shown = () => [ledger.takesMirrors, ledger.keepsBodies, ledger.isPressed]
  assert.deepEqual(shown(), [true, true, false])
  ledger.add(501)
  assert.deepEqual(shown(), [false, true, false])
  ledger.add(125)
  assert.deepEqual(shown(), [false, false, false])
  ledger.add(125)
  assert.deepEqual(shown(), [false, false, true])
  ledger.add(-751)
  assert.deepEqual(shown(), [true, true, false])
})

test('past the bound those that hold most are turned away, until an eighth is free', () => {
  const ledger = ledgerWith(100_000)
  const gone: number[] = []
  const holders = [10, 40, 20, 25, 20].map((kilobytes, i) => ({
    heldBytes: kilobytes * 1_000,
    relinquish() {
      this.heldBytes = 0
      gone.push(i)
    },
  }))
  for (const holder of holders.slice(0, 4)) ledger.note(holder)
  assert.deepEqual([gone, ledger.bytes], [[], 95_000])
  ledger.note(holders[4]!)
  assert.deepEqual([gone, ledger.bytes, ledger.relinquished], [[1], 75_000, 1])
})

test('there is one for each event loop', () => {
  const { scheduler } = createNodeRuntime({ logLevel: 'error' })
  assert.equal(bufferLedgerOf(scheduler), bufferLedgerOf(scheduler))
})
