import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NodeScheduler } from './scheduler.ts'

describe('the end of a turn on the real event loop', () => {
  it('runs callbacks of callbacks in the same turn, up to a bound', async () => {
    const scheduler = new NodeScheduler()
    const turnOfPass: number[] = []
    let turn = 0
    const countTurns = (): void => {
      turn++
      if (turnOfPass.length < 20) setImmediate(countTurns)
    }
    const again = (): void => {
      turnOfPass.push(turn)
      if (turnOfPass.length < 20) scheduler.endOfTurn(again)
    }
    scheduler.endOfTurn(again)
    setImmediate(countTurns)
    while (turnOfPass.length < 20) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(turnOfPass.slice(0, 8), Array(8).fill(turnOfPass[0]), 'one turn for the first passes')
    assert.ok(turnOfPass[8]! > turnOfPass[0]!, 'then the loop gets its turn')
  })

  it('runs the callbacks after one that throws', async () => {
    const scheduler = new NodeScheduler()
    const order: string[] = []
    const thrown = new Promise<unknown>((resolve) => {
      process.setUncaughtExceptionCaptureCallback(resolve)
    })
    try {
      scheduler.endOfTurn(() => order.push('first'))
      scheduler.endOfTurn(() => {
        throw new Error('a bug')
      })
      scheduler.endOfTurn(() => order.push('last'))
      assert.match(String(await thrown), /a bug/)
      await new Promise((resolve) => setImmediate(resolve))
      await new Promise((resolve) => setImmediate(resolve))
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
    assert.deepEqual(order, ['first', 'last'])
  })
})
