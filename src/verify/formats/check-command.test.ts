/** `synod check` as it is typed: exit status, what it prints, the picture it leaves. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'synod-check-'))
after(() => rmSync(folder, { recursive: true }))
const main = join(import.meta.dirname, '../../cli/main.ts')

function check(text: string, ...flags: string[]) {
  const file = join(folder, 'history')
  writeFileSync(file, text)
  rmSync(`${file}.html`, { force: true })
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'check', file, ...flags], { encoding: 'utf8' })
  return { status, stdout, stderr, html: existsSync(`${file}.html`) ? readFileSync(`${file}.html`, 'utf8') : undefined }
}

const log = (...lines: string[]) => lines.map((line) => `INFO  jepsen.util - ${line}\n`).join('')
const wrong = log('0 :invoke :write 1', '0 :ok :write 1', '1 :invoke :read nil', '1 :ok :read 2')

test('0: linearizable', () => {
  const { status, stdout, html } = check(
    log('0 :invoke :write 1', '0 :ok :write 1', '1 :invoke :read nil', '1 :ok :read 1'),
  )
  assert.equal(status, 0)
  assert.match(stdout, /: linearizable \(2 operations, jepsen, cas-register\)/)
  assert.equal(html, undefined)
})

test('1: not; the operations, the reason and a picture that needs nothing from outside', () => {
  const { status, stdout, html } = check(wrong)
  assert.equal(status, 1)
  assert.match(stdout, /not linearizable/)
  assert.match(stdout, /get register → 2 .*it needs register = 2/)
  assert.match(stdout, /Timeline: .*history\.html/)
  assert.ok(html)
  assert.match(html, /<rect class="wrong"/)
  assert.match(html, /<title>put register 1/)
  assert.doesNotMatch(html, /(src|href)=/)
})

test('the picture where it is wanted, or none', () => {
  const out = join(folder, 'out.html')
  assert.equal(check(wrong, '--html', out).html, undefined)
  assert.match(readFileSync(out, 'utf8'), /<svg/)
  assert.equal(check(wrong, '--no-html').html, undefined)
})

test('for machines', () => {
  const { status, stdout } = check(wrong, '--json')
  const result = JSON.parse(stdout)
  assert.deepEqual([status, result.verdict, result.evidence.length], [1, 'invalid', 2])
})

test('2: could not tell', () => {
  const lines = Array.from({ length: 12 }, (_, i) => [`${i} :invoke :write ${i}`, `${i + 20} :invoke :read nil`]).flat()
  const ends = Array.from({ length: 12 }, (_, i) => [
    `${i} :ok :write ${i}`,
    `${i + 20} :ok :read ${(i * 5) % 12}`,
  ]).flat()
  const { status, stdout } = check(log(...lines, ...ends), '--steps', '20')
  assert.equal(status, 2)
  assert.match(stdout, /could not tell/)
})

test('64: a file or a command line that cannot be read, with the reason', () => {
  const damaged = check(log('0 :invoke :read nil', '0 :ok :read [1'))
  assert.equal(damaged.status, 64)
  assert.match(damaged.stderr, /line 2/)
  assert.equal(check(wrong, '--format', 'xml').status, 64)
  assert.equal(check(wrong, '--bogus').status, 64)
  assert.equal(check(wrong, '--initial', '[').status, 64)
  assert.equal(spawnSync(process.execPath, [main, 'check', join(folder, 'nowhere')]).status, 64)
  assert.equal(spawnSync(process.execPath, [main, 'check']).status, 64)
})

test('our own lines: every property is judged, and named', () => {
  const leader = (node: string) => JSON.stringify({ type: 'leader', term: 1, node, atMs: 0 })
  const times = { invokedMs: 0, returnedMs: 1, outcome: 'ok' }
  const put = JSON.stringify({ type: 'operation', client: '1', ...times, input: { op: 'put', key: 'k', value: 'v' } })
  const { status, stdout } = check(`${leader('a')}\n${leader('b')}\n${put}\n`)
  assert.equal(status, 1)
  assert.match(stdout, /one-leader violated/)
  assert.match(stdout, /linearizability +holds/)
  assert.equal(check(`${leader('a')}\n`).status, 0)
})

test('a property without records of its kind has nothing to check, in words; for machines it is valid', () => {
  const leader = `${JSON.stringify({ type: 'leader', term: 1, node: 'a', atMs: 0 })}\n`
  const { stdout } = check(leader)
  assert.match(stdout, /: all holds \(1 record, /)
  assert.match(stdout, /one-leader +holds/)
  assert.match(stdout, /fencing +nothing to check/)
  assert.match(stdout, /linearizability +nothing to check/)
  const { properties } = JSON.parse(check(leader, '--json').stdout)
  assert.deepEqual(
    properties.find((each: { property: string }) => each.property === 'fencing'),
    { property: 'fencing', verdict: 'valid' },
  )
})

test('what the file holds is counted, not the initial state that is put before it', () => {
  const text = `[{:process 0 :type :invoke :f :txn :value [[:w :x 1]]} {:process 0 :type :ok :f :txn :value [[:w :x 1]]}
    {:process 1 :type :invoke :f :txn :value [[:r :x nil] [:r :y nil]]}
    {:process 1 :type :ok :f :txn :value [[:r :x 1] [:r :y 0]]}]`
  assert.match(check(text, '--initial', '{:x 0 :y 0}').stdout, /: linearizable \(2 operations, edn, multi-register\)/)
  assert.equal(JSON.parse(check(text, '--json').stdout).checked, 2)
})

test('one is one, and a search that got nowhere says no more than that', () => {
  const text = log(
    '0 :invoke :write 1',
    '0 :ok :write 1',
    '1 :invoke :read nil',
    '1 :ok :read 2',
    '2 :invoke :read nil',
  )
  assert.match(check(text).stdout, /The longest order takes 1 operation; after it/)
  const open = log(...['1', '2', '3'].map((each) => `${each} :invoke :write ${each}`), '9 :invoke :read nil')
  const { status, stdout } = check(`${open}${log('9 :ok :read 3', '1 :ok :write 1', '2 :ok :write 2')}`, '--steps', '1')
  assert.equal(status, 2)
  assert.match(stdout, /met its bound of 1 step; the furthest it came was the beginning\.\n$/)
})

test('a timeline that cannot be written is not announced; nor can it be both wanted and not', () => {
  const { status, stdout, stderr } = check(wrong, '--html', join(folder, 'nowhere', 'x.html'))
  assert.equal(status, 1)
  assert.match(stderr, /the timeline was not written/)
  assert.doesNotMatch(stdout, /Timeline/)
  const both = check(wrong, '--html', join(folder, 'both.html'), '--no-html')
  assert.equal(both.status, 64)
  assert.match(both.stderr, /contradict/)
})

test('control characters of a file never reach the terminal', () => {
  assert.match(check('\x1b[31mgarbage\x9b\n').stderr, /"\\u001b\[31mgarbage\\u009b" is neither/)
  const record = { type: 'operation', client: 'c\x1b', invokedMs: 0, returnedMs: 1, outcome: 'ok' }
  const read = { ...record, input: { op: 'get', key: 'k\x1b' }, output: { entries: [{ key: 'k\x1b', value: 'x' }] } }
  const { stdout } = check(`${JSON.stringify(read)}\n`)
  assert.match(stdout, /get k\\u001b/)
  assert.equal(stdout.includes('\x1b'), false)
})

test('a FILE of - is standard input, with no picture beside it', () => {
  const run = (...flags: string[]) =>
    spawnSync(process.execPath, [main, 'check', '-', ...flags], { cwd: folder, input: wrong, encoding: 'utf8' })
  const { status, stdout } = run()
  assert.equal(status, 1)
  assert.match(stdout, /^standard input: not linearizable \(2 operations/)
  assert.doesNotMatch(stdout, /Timeline/)
  assert.equal(existsSync(join(folder, '-.html')), false)
  assert.match(run('--html', 'in.html').stdout, /Timeline: in\.html/)
})
