import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { DiskError } from '../index.ts'
import { createNodeRuntime } from './index.ts'

const face = new URL('./index.ts', import.meta.url).href

/** Takes the lock, says so, and stays. */
function holderProgram(path: string): string {
  return `
    const { createNodeRuntime } = await import(${JSON.stringify(face)})
    await createNodeRuntime({ logLevel: 'error' }).disk.lock(${JSON.stringify(path)}, 'process ' + process.pid)
    process.stdout.write('held')
    setInterval(() => {}, 1000)`
}

describe('a lock across processes', () => {
  const { disk } = createNodeRuntime({ logLevel: 'error' })
  let directory = ''
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'synod-lock-'))
  })
  after(() => rm(directory, { recursive: true }))

  async function startHolder(path: string): Promise<{ child: ChildProcess; warnings: () => string }> {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', holderProgram(path)], { stdio: 'pipe' })
    let warnings = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      warnings += text
    })
    await once(child.stdout, 'data')
    return { child, warnings: () => warnings }
  }

  it('excludes, names its owner, and is freed by the kernel at SIGKILL', async () => {
    const path = `${directory}/LOCK`
    const { child, warnings } = await startHolder(path)
    await assert.rejects(disk.lock(path, 'me'), (error: DiskError) => {
      assert.ok(error instanceof DiskError)
      assert.equal(error.code, 'LOCKED')
      assert.match(error.message, new RegExp(`process ${child.pid}\\b`))
      return true
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    const lock = await disk.lock(path, 'me')
    await lock.release()
    assert.doesNotMatch(warnings(), /SQLite/, 'no warning about SQLite')
  })
})
