import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { isAsShown, readSnippets, readYamlSnippets } from './doc-snippets.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-snippets-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function snippetsOf(...lines: string[]) {
  const page = join(folder, 'page.md')
  writeFileSync(page, lines.join('\n'))
  return readSnippets(page)
}

it('joins what continues a program, and keeps its lines where they stand on the page', () => {
  const [program, another] = snippetsOf(
    '# Page',
    '```ts',
    'const a = 1',
    '```',
    'text',
    '```ts continues',
    'console.log(a)',
    '```',
    '```output',
    '1',
    '```',
    '```ts no-run',
    'b()',
    '```',
  )
  const lines = program!.code.split('\n')
  assert.equal(lines[2], 'const a = 1')
  assert.equal(lines[6], 'console.log(a)')
  assert.equal(program!.output, '1')
  assert.equal(program!.isRun, true)
  assert.equal(another!.isRun, false)
  assert.equal(another!.output, undefined)
})

it('takes what stands in comments for readers who need not see it', () => {
  const [program] = snippetsOf('<!-- ts', 'const ledger = 1', '-->', '```ts continues', 'ledger', '```')
  assert.match(program!.code, /const ledger = 1\n.*\nledger\n/s)
})

it('leaves other languages alone, and refuses marks it does not know', () => {
  assert.deepEqual(snippetsOf('```sh', 'ls', '```', '```', 'ts', '```'), [])
  assert.throws(() => snippetsOf('```ts norun', '```'), /page\.md:1: "ts norun"/)
  assert.throws(() => snippetsOf('```ts continues', '```'), /no program to continue/)
})

it('leaves what commands print to others', () => {
  const [program, ...others] = snippetsOf('```ts', 'a', '```', '```sh', 'ls', '```', '```output', 'file', '```')
  assert.deepEqual([program!.output, others], [undefined, []])
})

it('finds configurations', () => {
  const page = join(folder, 'yaml.md')
  writeFileSync(page, 'text\n```yaml\na: 1\n```\n```sh\nls\n```\n')
  assert.deepEqual(readYamlSnippets(page), [{ page, line: 2, text: 'a: 1' }])
})

it('compares output line by line, with … for anything within one', () => {
  assert.equal(isAsShown('token 17\nend\n', 'token …\nend'), true)
  assert.equal(isAsShown('token 17\nend\n', 'token …'), false)
  assert.equal(isAsShown('a.b', 'a+b'), false)
})
