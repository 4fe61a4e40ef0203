import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { TraceWorld } from './testing/trace-world.ts'

/**
 * Pins the core's behaviour. A trace is blocks of a command, `----`, and what happened; lines with # are remarks.
 * `SYNOD_REWRITE_TRACES=1` writes what happens now into the files: review the difference.
 */
const rewrites = process.env['SYNOD_REWRITE_TRACES'] === '1'
const folder = new URL('./testdata/', import.meta.url)

for (const name of readdirSync(folder)) {
  if (!name.endsWith('.txt')) continue
  test(`trace ${name}`, () => {
    const file = new URL(name, folder)
    const expected = readFileSync(file, 'utf8')
    const actual = replay(expected)
    if (rewrites) writeFileSync(file, actual)
    else assert.equal(actual, expected)
  })
}

function replay(trace: string): string {
  const world = new TraceWorld()
  const replayed: string[] = []
  for (const block of trace.trimEnd().split(/\n\n+/)) {
    const [script = ''] = block.split('\n----')
    const lines = script.split('\n')
    const happened = lines.filter((line) => !line.startsWith('#')).map((line) => world.run(line))
    const isRemark = happened.length === 0
    const told = happened.filter((text) => text !== 'ok\n').join('') || 'ok\n'
    replayed.push(isRemark ? `${script}\n` : `${script}\n----\n${told}`)
  }
  return replayed.join('\n')
}
