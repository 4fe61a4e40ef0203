import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LogLevel } from '../index.ts'
import { LineLogger, type LogFormat } from './index.ts'

function loggerTo(lines: string[], format: LogFormat, level: LogLevel = 'info'): LineLogger {
  const wallMs = (): number => Date.UTC(2026, 0, 2, 3, 4, 5, 6)
  return new LineLogger({ level, format, wallMs, writeLine: (line) => lines.push(line), fields: { node: 'n1' } })
}

describe('the line logger', () => {
  it('writes text as time, level, message, key=value', () => {
    const lines: string[] = []
    loggerTo(lines, 'text').with({ term: 3 }).info('became leader', { id: 5n, why: 'a "vote"', gone: undefined })
    assert.deepEqual(lines, ['2026-01-02T03:04:05.006Z INFO  became leader node=n1 term=3 id=5 why="a \\"vote\\""\n'])
  })

  it('writes JSON, one object a line', () => {
    const lines: string[] = []
    loggerTo(lines, 'json').warn('slow "disk"', { ms: 1.5, id: 2n ** 60n, ok: true })
    assert.deepEqual(JSON.parse(lines[0]!), {
      time: '2026-01-02T03:04:05.006Z',
      level: 'warn',
      message: 'slow "disk"',
      node: 'n1',
      ms: 1.5,
      id: '1152921504606846976',
      ok: true,
    })
  })

  it('drops what is below its level', () => {
    const lines: string[] = []
    const logger = loggerTo(lines, 'text', 'warn')
    logger.debug('a')
    logger.info('b')
    logger.warn('c')
    logger.error('d')
    assert.equal(lines.length, 2)
  })

  for (const format of ['text', 'json'] as const) {
    it(`keeps hostile text on its own line (${format})`, () => {
      const lines: string[] = []
      loggerTo(lines, format).info('message\nwith break', { value: 'x\r\n2026 INFO forged\u2028\u009b', other: '' })
      assert.equal(lines.length, 1)
      assert.doesNotMatch(lines[0]!.slice(0, -1), /[\n\r]/)
    })
  }
})
