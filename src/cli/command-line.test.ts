/** The commands as they are typed: what is refused before anything is done, and what the messages say. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'synod-cli-'))
after(() => rmSync(folder, { recursive: true }))
const main = join(import.meta.dirname, 'main.ts')

function synod(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { SYNOD_ENDPOINTS: _, ...inherited } = process.env
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: { ...inherited, ...env },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

test('a flag without its value is told in one sentence', () => {
  const { status, stderr } = synod(['get', 'a', '--limit', '-1'])
  assert.deepEqual([status, stderr], [2, "synod: Option '--limit' argument is ambiguous. See synod get --help.\n"])
})

test('an operand is not called a flag', () => {
  const { status, stderr } = synod(['lease', 'grant', 'x'])
  assert.equal(status, 2)
  assert.match(stderr, /^synod: SECONDS is "x"; it must be a whole number/)
})

test('endpoints that name no node are refused; a variable set to nothing is not set', () => {
  const flag = synod(['get', 'a', '--endpoints='])
  assert.equal(flag.status, 2)
  assert.match(flag.stderr, /^synod: --endpoints names no node/)
  const variable = synod(['status'], { SYNOD_ENDPOINTS: ' , ' })
  assert.equal(variable.status, 2)
  assert.match(variable.stderr, /^synod: \$SYNOD_ENDPOINTS names no node/)
  assert.equal(synod(['get', 'a', '--endpoints', '127.0.0.1:1'], { SYNOD_ENDPOINTS: '' }).status, 1)
})

test('status tells how to find a cluster when no node answers', () => {
  const { status, stdout, stderr } = synod(['status', '--endpoints', '127.0.0.1:1'])
  assert.equal(status, 1)
  assert.match(stdout, /127\.0\.0\.1:1 +unreachable/)
  assert.match(stderr, /no node answers\. .*"synod up", or name its nodes with --endpoints\./)
})

test('sim refuses a history that cannot be written before any world runs', () => {
  const { status, stdout, stderr } = synod(['sim', '--history', join(folder, 'nowhere', 'h'), '--duration', '1'])
  assert.deepEqual([status, stdout], [2, ''])
  assert.match(stderr, /^synod: --history .* cannot be written: ENOENT[^\n]*\n$/)
  assert.equal(synod(['sim', '--history', folder, '--duration', '1']).status, 2)
})

test('sim names what it ran, and leaves a history only where one is due', () => {
  const [fresh, old] = [join(folder, 'fresh'), join(folder, 'old')]
  writeFileSync(old, 'kept')
  const several = synod(['sim', '--seeds', '2', '--duration', '1', '--nodes', '1', '--history', fresh])
  assert.equal(several.status, 0, several.stderr)
  assert.match(several.stdout, /^swarm on raft, seeds 1 to 2: all hold\n\nTOTAL\n/)
  assert.equal(existsSync(fresh), false)
  synod(['sim', '--seeds', '2', '--duration', '1', '--nodes', '1', '--history', old])
  assert.equal(readFileSync(old, 'utf8'), 'kept')
  const one = synod(['sim', '--seed', '7', '--duration', '1', '--consensus', 'paxos', '--history', fresh])
  assert.match(one.stdout, /^swarm on paxos, seed 7: holds\n/)
  assert.match(readFileSync(fresh, 'utf8'), /"type":"operation"/)
})

test('proxy run takes its file with or without --config, and only one', () => {
  const nowhere = join(folder, 'nowhere.yaml')
  for (const args of [[nowhere], ['--config', nowhere]]) {
    const { status, stderr } = synod(['proxy', 'run', ...args])
    assert.equal(status, 1)
    assert.match(stderr, /nowhere\.yaml:1:1 cannot read it: ENOENT/)
  }
  const two = synod(['proxy', 'run', nowhere, '--config', join(folder, 'other.yaml')])
  assert.equal(two.status, 2)
  assert.match(
    two.stderr,
    /^synod: one configuration can be served, and these are given: .*other\.yaml, .*nowhere\.yaml/,
  )
  assert.equal(synod(['proxy', 'run', nowhere, '--config-key', 'k', '--registry', 'synod://h:1']).status, 2)
})
