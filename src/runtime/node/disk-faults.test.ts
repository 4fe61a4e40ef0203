import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { DiskError } from '../index.ts'
import { createNodeRuntime } from './index.ts'

/** A device that answers writes with ENOSPC and syncs with EINVAL. */
const device = '/dev/full'

describe('a real file that fails', {
  skip: existsSync(device) ? false : `this system has no ${device} (Linux has)`,
}, () => {
  const { disk } = createNodeRuntime({ logLevel: 'error' })

  it('says NO_SPACE, and what to do, when the disk is full', async () => {
    const file = await disk.open(device, 'write')
    await assert.rejects(file.write(0, [utf8Bytes('x')]), (error: DiskError) => {
      assert.ok(error instanceof DiskError)
      assert.equal(error.code, 'NO_SPACE')
      assert.match(error.message, /cannot write 1 bytes at 0: \/dev\/full: ENOSPC\. Free space/)
      return true
    })
    await assert.rejects(file.writeDurably(0, [utf8Bytes('x'), utf8Bytes('y')]), { code: 'NO_SPACE' })
    await file.close()
  })

  it('refuses every sync after one that failed', async () => {
    const file = await disk.open(device, 'write')
    await assert.rejects(file.sync(), /EINVAL/)
    await assert.rejects(file.sync(), /an earlier sync failed/)
    await assert.rejects(file.writeDurably(0, [utf8Bytes('x')]), /an earlier sync failed/)
    await file.close()
  })
})
