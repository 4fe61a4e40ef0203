import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { flusherOf, TurnOutput } from './turn-output.ts'

const flusher = flusherOf(createNodeRuntime({ logLevel: 'error' }).scheduler)

function spentAfter(transport: Partial<Connection>, gathered: number, size: number): boolean {
  const connection = { queuedBytes: 0, write: () => true, ...transport } as Connection
  const output = new TurnOutput(connection, flusher)
  const bytes = new Uint8Array(size)
  if (gathered > 0) output.append(new Uint8Array(gathered))
  flusher.spent = undefined
  output.append(bytes)
  return flusher.spent === bytes
}

test('a piece is spent when it was copied, or is with an operating system that keeps no view', () => {
  const both = { writeBoth: () => true }
  for (const gathered of [0, 10]) {
    assert.equal(spentAfter({}, gathered, 100), true, 'copied')
    assert.equal(spentAfter({ ...both, freesWritten: true }, gathered, 100_000), true, 'written')
    assert.equal(spentAfter({ freesWritten: true }, gathered, 100_000), true, 'written apart')
    assert.equal(spentAfter({ ...both, freesWritten: true, queuedBytes: 1 }, gathered, 100_000), false, 'queued')
    assert.equal(spentAfter({ ...both }, gathered, 100_000), false, 'kept by the transport')
  }
})
