import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkLinearizability } from '../checkers/index.ts'
import type { HistoryRecord } from '../history/index.ts'
import { EdnError, printEdn, readEdn } from './edn.ts'
import { FormatError, type ModelName, readHistory, readJsonLines, writeJsonLines } from './index.ts'

function verdictOf(text: string, options: { model?: ModelName; initial?: string } = {}): string {
  const { attempts } = readHistory(text, options)
  const verdicts = attempts.map(({ records }) => checkLinearizability(records).verdict)
  return verdicts.find((verdict) => verdict === 'linearizable') ?? verdicts[0]!
}

describe('EDN', () => {
  const print = (text: string) =>
    readEdn(text)
      .map(({ value }) => printEdn(value))
      .join(' | ')

  test('every kind of element', () => {
    assert.equal(print('nil true false'), 'nil | true | false')
    assert.equal(
      print('1 -2 +3 4N 1.5 2e3 1/2 12345678901234567890'),
      '1 | -2 | 3 | 4 | 1.5 | 2e3 | 1/2 | 12345678901234567890',
    )
    assert.equal(print(':a :b/c sym <= a.b/c'), ':a | :b/c | sym | <= | a.b/c')
    assert.equal(print(String.raw`"a\"b\n\u0041" \a \newline \u0041`), String.raw`"a\"b\nA" | \a | ${'\\\n'} | \A`)
    assert.equal(print('[1 (2 3) #{4} {:a 1, :b [2]}]'), '[1 (2 3) #{4} {:a 1, :b [2]}]')
    assert.equal(print('#inst "2020" #my/tag {:a 1}'), '#inst "2020" | #my/tag {:a 1}')
    assert.equal(print('; a comment\n[1 #_ 2 #_ #_ 3 4 5] ; and one at the end'), '[1 5]')
  })

  test('maps and sets are equal whatever their order', () => {
    assert.equal(print('{:b 1 :a 2}'), print('{:a 2, :b 1}'))
  })

  test('what is no EDN names its line', () => {
    for (const [text, line] of [
      ['[1\n2', 1],
      ['1\n)', 2],
      ['{:a}', 1],
      ['\n"abc', 2],
      ['1x', 1],
      ['[]\n\n#', 3],
      ['['.repeat(1000), 1],
    ] as const)
      assert.throws(
        () => readEdn(text),
        (error) => error instanceof EdnError && error.line === line,
        text.slice(0, 20),
      )
  })
})

describe('Jepsen logs', () => {
  const log = (...lines: string[]) => lines.map((line) => `INFO  jepsen.util - ${line}`).join('\n')

  test('tabs and blanks, line ends and other lines do not matter', () => {
    const text = [
      'INFO  jepsen.core - Running test',
      'INFO  jepsen.util - 0\t:invoke\t:write\t3',
      'INFO  jepsen.util - :nemesis :info :start nil',
      'INFO jepsen.util - 0   :ok   :write   3  ',
      '',
      '2016-01-01 12:00:00,000 INFO  [jepsen worker 1] jepsen.util: 1\t:invoke\t:read\tnil',
      '2016-01-01 12:00:01,000 INFO  [jepsen worker 1] jepsen.util: 1\t:ok\t:read\t3',
    ].join('\r\n')
    const { format, model, attempts } = readHistory(text)
    assert.deepEqual([format, model, attempts[0]!.records.length], ['jepsen', 'cas-register', 2])
    assert.equal(verdictOf(text), 'linearizable')
    assert.equal(verdictOf(text.replace(':ok\t:read\t3', ':ok\t:read\t4')), 'not linearizable')
  })

  test('nil is a value that was seen', () => {
    assert.equal(verdictOf(log('0 :invoke :read nil', '0 :ok :read nil')), 'linearizable')
    const after = log('1 :invoke :write 1', '1 :ok :write 1', '0 :invoke :read nil', '0 :ok :read nil')
    assert.equal(verdictOf(after), 'not linearizable')
  })

  test('a lost compare-and-swap saw another value; one that timed out may have won', () => {
    const lines = ['0 :invoke :write 1', '0 :ok :write 1', '0 :invoke :cas [1 2]']
    const read = (value: number) => ['1 :invoke :read nil', `1 :ok :read ${value}`]
    assert.equal(verdictOf(log(...lines, '0 :fail :cas [1 2]')), 'not linearizable')
    assert.equal(verdictOf(log(...lines, '0 :ok :cas [1 2]', ...read(2))), 'linearizable')
    for (const value of [1, 2])
      assert.equal(verdictOf(log(...lines, '0 :info :cas :timed-out', ...read(value))), 'linearizable')
    assert.equal(verdictOf(log(...lines, '0 :fail :cas :refused', ...read(2))), 'not linearizable')
  })

  test('a read that timed out saw nothing', () => {
    const text = log('0 :invoke :read nil', '0 :fail :read :timed-out', '0 :invoke :read nil', '0 :ok :read nil')
    assert.equal(verdictOf(text), 'linearizable')
  })

  test('a damaged line is named', () => {
    assert.throws(() => readHistory(log('0 :invoke :write 1', '0 :ok write 1')), /line 2/)
    assert.throws(() => readHistory(log('0 :invoke :write 1', '0 :ok :write [1')), /line 2/)
    assert.throws(() => readHistory(log('0 :invoke :read nil', '1 :ok :read nil')), /line 2: process 1 concludes/)
  })
})

describe('Knossos histories', () => {
  const event = (process: number | string, type: string, f: string, value: string) =>
    `{:process ${process}, :type :${type}, :f :${f}, :value ${value}, :index 1, :time 123}`

  test('one map after another, in a vector or in a list, tagged or not', () => {
    const events = [
      event(0, 'invoke', 'write', '3'),
      event(':nemesis', 'info', 'start', '"cut"'),
      event(0, 'ok', 'write', '3'),
      `; a comment\n#knossos.op.Op${event(1, 'invoke', 'read', 'nil')}`,
      event(1, 'ok', 'read', '3'),
    ].join('\n')
    for (const text of [events, `[${events}]`, `(${events})`]) {
      assert.equal(readHistory(text).attempts[0]!.records.length, 2)
      assert.equal(verdictOf(text), 'linearizable')
      assert.equal(verdictOf(text.replace(/:f :read, :value 3/, ':f :read, :value 4')), 'not linearizable')
    }
  })

  test('a read of nil may have seen anything; what failed never happened', () => {
    const write = [event(0, 'invoke', 'write', '1'), event(0, 'ok', 'write', '1')]
    assert.equal(
      verdictOf([...write, event(1, 'invoke', 'read', 'nil'), event(1, 'ok', 'read', 'nil')].join('\n')),
      'linearizable',
    )
    assert.equal(
      verdictOf([...write, event(1, 'invoke', 'cas', '[1 2]'), event(1, 'fail', 'cas', '[1 2]')].join('\n')),
      'linearizable',
    )
    const failed = [
      event(0, 'invoke', 'write', '1'),
      event(0, 'fail', 'write', '1'),
      event(1, 'invoke', 'read', 'nil'),
      event(1, 'ok', 'read', '1'),
    ]
    assert.equal(verdictOf(failed.join('\n')), 'not linearizable')
  })

  test('registers begin with nil, or else with 0, or as told', () => {
    const read = (value: number) =>
      [event(1, 'invoke', 'read', 'nil'), event(1, 'ok', 'read', String(value))].join('\n')
    assert.equal(verdictOf(read(0)), 'linearizable')
    assert.equal(verdictOf(read(5)), 'not linearizable')
    assert.equal(verdictOf(read(5), { initial: '5' }), 'linearizable')
    assert.equal(verdictOf(read(0), { initial: 'nil' }), 'not linearizable')
    assert.throws(() => verdictOf(read(0), { initial: '[' }), FormatError)
  })

  test('several registers', () => {
    const txn = (process: number, asked: string, saw: string) =>
      `${event(process, 'invoke', 'txn', asked)} ${event(process, 'ok', 'txn', saw)}`
    const write = txn(0, '[[:write :x 1] [:write :y 2]]', '[[:write :x 1] [:write :y 2]]')
    const read = (x: number, y: number) =>
      txn(1, '[[:read :x nil] [:read :y nil]]', `[[:read :x ${x}] [:read :y ${y}]]`)
    assert.equal(readHistory(write).model, 'multi-register')
    assert.equal(verdictOf(write + read(1, 2)), 'linearizable')
    assert.equal(verdictOf(read(0, 0) + write), 'linearizable')
    assert.equal(verdictOf(write + read(1, 0)), 'not linearizable')
    assert.equal(verdictOf(read(7, 8) + write, { initial: '{:x 7, :y 8}' }), 'linearizable')
    const map = `${event(0, 'invoke', 'write', '{:x 1 :y 2}')} ${event(0, 'ok', 'write', '{:x 1 :y 2}')}`
    const mapRead = (y: number) =>
      `${event(1, 'invoke', 'read', '{:x nil :y nil}')} ${event(1, 'ok', 'read', `{:x 1 :y ${y}}`)}`
    assert.equal(verdictOf(map + mapRead(2)), 'linearizable')
    assert.equal(verdictOf(map + mapRead(3)), 'not linearizable')
  })

  test('a mutex', () => {
    const step = (process: number, f: string, type: string) => `{:type :${type}, :f :${f}, :process ${process}}`
    const done = (process: number, f: string) => step(process, f, 'invoke') + step(process, f, 'ok')
    assert.equal(readHistory(done(0, 'acquire')).model, 'mutex')
    assert.equal(verdictOf(done(0, 'acquire') + done(0, 'release') + done(1, 'acquire')), 'linearizable')
    assert.equal(verdictOf(done(0, 'acquire') + done(1, 'acquire')), 'not linearizable')
    assert.equal(verdictOf(done(0, 'release')), 'not linearizable')
    const maybe = step(0, 'release', 'invoke') + step(0, 'release', 'info')
    assert.equal(verdictOf(done(0, 'acquire') + maybe + done(1, 'acquire')), 'linearizable')
  })

  test('what is no operation is named', () => {
    assert.throws(() => readHistory('{:type :invoke, :f :read}\n{:process 1}'), /line 1/)
    assert.throws(() => readHistory(`[${event(0, 'invoke', 'read', 'nil')}\n{:type :ok}]`), /line 2/)
    assert.throws(() => readHistory(`[${event(0, 'invoke', 'push', '1')}]`), /:push is no operation of a register/)
    assert.throws(() => readHistory(event(0, 'invoke', 'cas', '3')), /:cas takes two values/)
  })
})

describe('our own lines', () => {
  const records: HistoryRecord[] = [
    { type: 'start', revision: 1 },
    { type: 'operation', client: 'a', invokedMs: 0, outcome: 'unknown', input: { op: 'put', key: 'k', value: 'v' } },
    { type: 'leader', term: 1, node: 'n', atMs: 3 },
  ]

  test('are read as they were written', () => {
    assert.deepEqual(readJsonLines(writeJsonLines(records)), records)
    assert.deepEqual(
      readHistory(`\n${writeJsonLines(records).replaceAll('\n', '\r\n\r\n')}`).attempts[0]!.records,
      records,
    )
  })

  test('a line that is none is named, and what it lacks', () => {
    const good = writeJsonLines(records)
    assert.throws(() => readJsonLines(`${good}{`), /line 4: it is no JSON/)
    assert.throws(() => readJsonLines(`${good}{"type":"other"}`), /line 4: "type" must be/)
    assert.throws(() => readJsonLines(`${good}{"type":"leader","term":1,"node":"n"}`), /line 4: .*"atMs", a number/)
    assert.throws(
      () => readJsonLines('{"type":"operation","client":"a","invokedMs":1,"outcome":"ok","input":{"op":"get"}}'),
      /line 1: .*"key"/,
    )
    assert.throws(() => readJsonLines('null'), /line 1/)
  })

  test('nothing, or something else altogether', () => {
    assert.throws(() => readHistory(''), /the file is empty/)
    assert.throws(() => readHistory('hello\nworld'), /neither/)
    assert.throws(() => readHistory('hello', { format: 'jepsen' }), /no operations/)
  })
})
