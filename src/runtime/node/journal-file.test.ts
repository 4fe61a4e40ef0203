import assert from 'node:assert/strict'
import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { decodeJournal } from '../power-loss/index.ts'
import { createNodeRuntime, recordDiskToFile } from './index.ts'

describe('a journal file', () => {
  let directory = ''
  before(async () => {
    directory = await fs.mkdtemp(join(tmpdir(), 'synod-journal-'))
  })
  after(() => fs.rm(directory, { recursive: true }))

  it('holds what was done by the time the caller hears of it, and a later run after a cut record', async () => {
    const { disk } = createNodeRuntime({ logLevel: 'error' })
    const path = `${directory}/journal`
    const opsSoFar = async (): Promise<string[]> =>
      decodeJournal(await fs.readFile(path)).records.map((record) => record.event.op)

    const first = recordDiskToFile(disk, path)
    const file = await first.open(`${directory}/f`, 'create-new')
    await file.writeDurably(0, [utf8Bytes('x')])
    assert.deepEqual(await opsSoFar(), ['run', 'open', 'write', 'sync'])
    await file.close()
    await fs.truncate(path, (await fs.stat(path)).size - 1)

    const second = recordDiskToFile(disk, path)
    second.mark('again')
    const { records } = decodeJournal(await fs.readFile(path))
    assert.deepEqual(await opsSoFar(), ['run', 'open', 'write', 'run', 'mark'])
    assert.ok(records.every((record, i) => i === 0 || record.atMs >= records[i - 1]!.atMs))
  })
})
