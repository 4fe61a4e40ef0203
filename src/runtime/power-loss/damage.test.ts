import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { FileInode } from './inode.ts'

describe('damage to a file', () => {
  const blot = (): number => 0x23

  it('touches every copy of the range and no byte of the writer, and does not make the file grow', () => {
    const inode = new FileInode()
    const mine = utf8Bytes('synced')
    const change = inode.write(0, mine)
    change.completed = true
    assert.equal(inode.damage(1, 2, blot), false)
    assert.equal(Buffer.from(mine).toString(), 'synced')
    inode.sync([change])
    assert.equal(inode.damage(4, 2, blot), true)
    assert.equal(inode.damage(5, 9, blot), false, 'the file ends before the range does')
    inode.losePower({
      uint32: () => 0,
      below: () => 0,
      float: () => 0,
      bytes: () => new Uint8Array(),
      fork: assert.fail,
    })
    assert.equal(Buffer.from(inode.current.read(0, 100)).toString(), 's##c##')
  })
})
