import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { createNodeRuntime } from './index.ts'

type ReadDone = (error: NodeJS.ErrnoException | null, count: number, bytes: Uint8Array) => void

/** Makes the kernel, so to say, answer each read with at most `countMax` bytes. Returns how many it got. */
function shortenReads(context: TestContext, countMax: number): { calls: number } {
  const whole = fs.read as unknown as (...parameters: unknown[]) => void
  const seen = { calls: 0 }
  const short = (fd: number, bytes: Uint8Array, at: number, length: number, from: number, done: ReadDone): void => {
    seen.calls++
    whole(fd, bytes, at, Math.min(length, countMax), from, done)
  }
  const mock = context.mock.method(fs, 'read', short as unknown as typeof fs.read)
  syncBuiltinESMExports()
  context.after(() => {
    mock.mock.restore()
    syncBuiltinESMExports()
  })
  return seen
}

describe('a kernel that reads fewer bytes than asked', () => {
  const { disk } = createNodeRuntime({ logLevel: 'error' })
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'short-reads-'))
  })
  after(() => rm(directory, { recursive: true }))

  it('is asked again, until all is there or the file ends', async (context) => {
    const file = await disk.open(join(directory, 'f'), 'create')
    const bytes = Uint8Array.from({ length: 1_000 }, (_, i) => i)
    await file.write(0, [bytes])
    const seen = shortenReads(context, 7)
    assert.deepEqual(new Uint8Array(await file.read(0, 1_000)), bytes)
    assert.equal(seen.calls, Math.ceil(1_000 / 7))
    assert.deepEqual(new Uint8Array(await file.read(990, 1_000)), bytes.subarray(990))
    assert.equal((await file.read(1_000, 10)).length, 0)
    await file.close()
  })
})
