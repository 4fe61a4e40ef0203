import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { readDeclared, readExports, readMembers } from './declarations.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-declarations-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

it('reads statements with the comment right before each', () => {
  const [first, second] = readDeclared(
    "/** Of the file. */\nimport type { A } from './a.ts';\n/**\n * One; two.\n */\nexport declare const b: {\n  readonly c: ';';\n};\n",
  )
  assert.deepEqual(first, { doc: 'Of the file.', code: "import type { A } from './a.ts'" })
  assert.deepEqual(second, { doc: 'One; two.', code: "export declare const b: {\n  readonly c: ';';\n}" })
})

it('reads the members of an interface, also behind type arguments with braces', () => {
  const { head, members } = readMembers(
    'export interface A<T extends {\n b: () => 1;\n}> extends B {\n /** Of c. */\n c(d: {\n e: 1;\n }): void;\n readonly f: T;\n}',
  )!
  assert.equal(head, 'export interface A<T extends {\n b: () => 1;\n}> extends B')
  assert.deepEqual(
    members.map(({ doc }) => doc),
    ['Of c.', ''],
  )
  assert.match(members[0]!.code, /^c\(d: \{.*\): void$/s)
})

it('leaves out what is private', () => {
  const { members } = readMembers('export declare class A {\n private readonly b;\n #c;\n d: 1;\n}')!
  assert.deepEqual(
    members.map(({ code }) => code),
    ['d: 1'],
  )
})

it('follows what an entry point exports to where it is declared, overloads together', () => {
  writeFileSync(
    join(folder, 'index.d.ts'),
    "export { type A, f as g } from './inner.ts';\nexport type * from './more.ts';\n",
  )
  writeFileSync(
    join(folder, 'inner.d.ts'),
    'export interface A {\n}\nexport declare function f(a: 1): void;\nexport declare function f(a: 2): void;\nexport interface Hidden {\n}\n',
  )
  writeFileSync(join(folder, 'more.d.ts'), 'export type B = 1;\n')
  const found = readExports(join(folder, 'index.d.ts'))
  assert.deepEqual(
    found.map(({ name, declarations }) => [name, declarations.length]),
    [
      ['A', 1],
      ['g', 2],
      ['B', 1],
    ],
  )
})
