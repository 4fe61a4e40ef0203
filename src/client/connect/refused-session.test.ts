import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { connect } from './index.ts'

test('a connection that is refused for its session leaves no engine running', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'synod-connect-'))
  try {
    await assert.rejects(connect(`embedded:${directory}`, { sessionTtlMs: 5 }), { code: 'INVALID_ARGUMENT' })
    const synod = await connect(`embedded:${directory}`)
    await synod.close()
  } finally {
    await rm(directory, { recursive: true })
  }
})
