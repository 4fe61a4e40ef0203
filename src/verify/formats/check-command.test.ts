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
  const { status, stdout } = check(`${leader('a')}\n${leader('b')}\n`)
  assert.equal(status, 1)
  assert.match(stdout, /one-leader violated/)
  assert.match(stdout, /linearizability +holds/)
  assert.equal(check(`${leader('a')}\n`).status, 0)
})
