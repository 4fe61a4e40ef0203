/** synod copy as it is typed, between directories. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { connect } from '../client/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-copy-'))
after(() => rmSync(folder, { recursive: true }))
const main = join(import.meta.dirname, 'main.ts')

function copy(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'copy', ...args], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

const from = `embedded:${join(folder, 'from')}`
const to = `embedded:${join(folder, 'to')}`

test('a program’s data moves to another directory, and its tokens go on', async () => {
  const before = await connect(from, { engine: 'embedded' })
  await before.kv.put('config/theme', 'dark')
  await before.counter('visits').add(41)
  let token = 0
  for (let round = 0; round < 20; round++)
    await before.lock('invoice').run({}, async (held) => {
      token = held.fencingToken
    })
  await before.close()

  const dry = copy(from, to, '--dry-run')
  assert.equal(dry.status, 0, dry.stderr)
  assert.match(dry.stdout, /^to copy: 2 keys, \d+ bytes \(1 kv, 1 counters\)\n.*nothing was changed\n$/s)
  const done = copy(from, to, '--json')
  assert.equal(done.status, 0, done.stderr)
  const report = JSON.parse(done.stdout)
  assert.deepEqual([report.keys, report.written, report.dryRun], [2, 2, false])
  assert.match(report.digest, /^[0-9a-f]{64}$/)

  const there = await connect(to, { engine: 'embedded' })
  assert.equal((await there.kv.get('config/theme'))?.text(), 'dark')
  assert.equal(await there.counter('visits').increment(), 42)
  await there.lock('invoice').run({}, async (held) => assert.ok(held.fencingToken > token))
  await there.close()

  const again = copy(from, to)
  assert.equal(again.status, 1)
  assert.match(
    again.stderr,
    /^synod: the target has other values for 1 of the keys: "synod\/counters\/visits".*--overwrite/,
  )
  const some = copy(from, to, '--prefix', 'config/', '--prefix', 'nothing/')
  assert.equal(some.status, 0, some.stderr)
  assert.match(some.stdout, /^copied: 1 keys.*written 0; there with the same value 1/s)
})

test('what cannot be copied is told in one sentence', () => {
  const cases = [
    { args: [], message: /^synod: synod copy needs a FROM\. See/ },
    { args: [from], message: /^synod: synod copy needs a TO\. See/ },
    {
      args: ['embedded:/nowhere/at/all', to],
      message: /^synod: FROM names no data: \/nowhere\/at\/all is not there\.\n$/,
    },
    { args: ['mongodb://h', to], message: /^synod: [^\n]*mongodb[^\n]*\n$/ },
    { args: ['redis://h', to], message: /^synod: FROM is a Redis[^\n]*\n$/ },
  ]
  for (const { args, message } of cases) {
    const { status, stderr } = copy(...args)
    assert.equal(status, 2, stderr)
    assert.match(stderr, message)
  }
})
