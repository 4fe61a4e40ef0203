import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { KvInput, KvOutput, OperationRecord } from '../history/index.ts'
import { checkLinearizability } from './linearizability/check-linearizability.ts'
import { linearizabilityChecker } from './linearizability/checker.ts'
import { generateHistory } from './testing/history-generator.ts'
import { ModelStore } from './testing/model-store.ts'
import { isLinearizableNaive } from './testing/naive-linearizability.ts'

const runs = Number(process.env['SYNOD_CHECKER_RUNS'] ?? 3000)

type Span = readonly [client: string, invokedMs: number, returnedMs: number]

function ok([client, invokedMs, returnedMs]: Span, input: KvInput, output: KvOutput = {}): OperationRecord {
  return { type: 'operation', client, invokedMs, returnedMs, outcome: 'ok', input, output }
}

function unknown(client: string, invokedMs: number, input: KvInput): OperationRecord {
  return { type: 'operation', client, invokedMs, outcome: 'unknown', input }
}

const put = (value: string, key = 'x') => ({ op: 'put', key, value }) as const
const get = (key = 'x') => ({ op: 'get', key }) as const
const saw = (value?: string, key = 'x') => ({ entries: value === undefined ? [] : [{ key, value }] })
const cas = (expected: string | null, value: string) => ({ op: 'cas', key: 'x', expected, value }) as const

function verdictOf(...history: OperationRecord[]): string {
  const { verdict } = checkLinearizability(history)
  assert.equal(verdict, isLinearizableNaive(history) ? 'linearizable' : 'not linearizable', 'the naive twin differs')
  return verdict
}

describe('histories told one by one', () => {
  test('a read of what was overwritten before it began', () => {
    const verdict = verdictOf(ok(['a', 0, 1], put('1')), ok(['a', 2, 3], put('2')), ok(['b', 4, 5], get(), saw('1')))
    assert.equal(verdict, 'not linearizable')
  })

  test('concurrent reads may see a write or not, but not go back', () => {
    const write = ok(['a', 0, 10], put('1'))
    assert.equal(verdictOf(write, ok(['b', 1, 2], get(), saw()), ok(['b', 3, 4], get(), saw('1'))), 'linearizable')
    assert.equal(verdictOf(write, ok(['b', 1, 2], get(), saw('1')), ok(['c', 3, 4], get(), saw())), 'not linearizable')
  })

  test('a write of unknown outcome may take effect late, or never, but not twice', () => {
    const lost = unknown('a', 0, put('1'))
    const other = ok(['b', 1, 2], put('2'))
    assert.equal(verdictOf(lost, other, ok(['b', 8, 9], get(), saw('1'))), 'linearizable')
    assert.equal(verdictOf(lost, other, ok(['b', 8, 9], get(), saw('2'))), 'linearizable')
    const twice = [ok(['b', 3, 4], get(), saw('1')), ok(['b', 5, 6], put('3')), ok(['b', 8, 9], get(), saw('1'))]
    assert.equal(verdictOf(lost, other, ...twice), 'not linearizable')
  })

  test('an uncertain write cannot be seen before it was invoked', () => {
    assert.equal(verdictOf(ok(['b', 1, 2], get(), saw('1')), unknown('a', 3, put('1'))), 'not linearizable')
  })

  test('a failed operation never happened', () => {
    const failed: OperationRecord = { ...ok(['a', 0, 1], put('1')), outcome: 'failed' }
    assert.equal(verdictOf(failed, ok(['b', 2, 3], get(), saw())), 'linearizable')
    assert.equal(verdictOf(failed, ok(['b', 2, 3], get(), saw('1'))), 'not linearizable')
  })

  test('two clients cannot both win one compare-and-swap', () => {
    const win = { succeeded: true }
    const first = ok(['a', 0, 5], cas(null, '1'), win)
    assert.equal(verdictOf(first, ok(['b', 1, 6], cas(null, '2'), { succeeded: false })), 'linearizable')
    assert.equal(verdictOf(first, ok(['b', 1, 6], cas(null, '2'), win)), 'not linearizable')
  })

  test('a lost compare-and-swap needs another value', () => {
    const lost = ok(['b', 2, 3], cas('1', '2'), { succeeded: false })
    assert.equal(verdictOf(ok(['a', 0, 1], put('1')), lost), 'not linearizable')
    assert.equal(verdictOf(ok(['a', 0, 1], put('1')), unknown('c', 0, put('7')), lost), 'linearizable')
  })

  test('the order of one client holds where its operations touch in time', () => {
    const history = [ok(['a', 0, 5], put('1')), ok(['a', 5, 5], put('2')), ok(['a', 5, 9], get(), saw('1'))]
    assert.equal(verdictOf(...history), 'not linearizable')
    const ofOthers = [ok(['a', 0, 5], put('1')), ok(['b', 5, 5], put('2')), ok(['c', 5, 9], get(), saw('1'))]
    assert.equal(verdictOf(...ofOthers), 'linearizable')
  })

  test('a range sees one state of all its keys', () => {
    const range = { op: 'range', key: 'a', end: 'z' } as const
    const writes = [ok(['w', 0, 1], put('1', 'x')), ok(['w', 2, 3], put('1', 'y')), ok(['w', 4, 5], put('2', 'x'))]
    const seeing = (x: string, y: string) =>
      ok(['r', 0, 9], range, {
        entries: [
          { key: 'x', value: x },
          { key: 'y', value: y },
        ],
      })
    assert.equal(verdictOf(...writes, seeing('1', '1')), 'linearizable')
    const newXOldY = ok(['r', 0, 9], range, { entries: [{ key: 'x', value: '2' }] })
    assert.equal(verdictOf(...writes, newXOldY), 'not linearizable')
  })

  test('an uncertain transaction may be needed long before it is noticed', () => {
    const both = { op: 'txn', compares: [], success: [put('u', 'a'), put('u', 'b')], failure: [] } as const
    const history = [
      unknown('u', 0, both),
      ok(['c', 1, 2], put('5', 'a')),
      ok(['c', 3, 4], get('b'), saw('u', 'b')),
      ok(['c', 5, 6], get('a'), saw('5', 'a')),
    ]
    assert.equal(verdictOf(...history), 'linearizable')
  })

  test('an uncertain transaction acts only while its condition holds', () => {
    const guarded = {
      op: 'txn',
      compares: [{ key: 'a', target: 'value', relation: '=', operand: '1' }],
      success: [put('u', 'b')],
      failure: [],
    } as const
    const start = [ok(['c', 0, 1], put('1', 'a')), unknown('u', 2, guarded)]
    const end = [ok(['c', 5, 6], put('2', 'a')), ok(['c', 7, 8], get('b'), saw('u', 'b'))]
    assert.equal(verdictOf(...start, ...end), 'linearizable')
    const tooLate = [ok(['c', 3, 4], get('b'), saw(undefined, 'b')), ...end]
    assert.equal(verdictOf(ok(['c', 0, 1], put('2', 'a')), unknown('u', 2, guarded), ...tooLate), 'not linearizable')
  })

  test('an entry that was not asked for', () => {
    assert.equal(verdictOf(ok(['a', 0, 1], put('1')), ok(['a', 2, 3], get('y'), saw('1', 'x'))), 'not linearizable')
  })
})

describe('against the naive twin', () => {
  const key = fc.constantFrom('x', 'y')
  const value = fc.constantFrom('1', '2', '3')
  const step = fc.oneof(
    fc.record({ op: fc.constant('get' as const), key }),
    fc.record({ op: fc.constant('put' as const), key, value }),
    fc.record({ op: fc.constant('delete' as const), key }),
  )
  const compare = fc.oneof(
    fc.record({
      key,
      target: fc.constant('value' as const),
      relation: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
      operand: value,
    }),
    fc.record({
      key,
      target: fc.constant('version' as const),
      relation: fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const),
      operand: fc.constantFrom(0, 1, 2),
    }),
    fc.record({
      key,
      target: fc.constantFrom('createRevision' as const, 'modRevision' as const),
      relation: fc.constantFrom('=' as const, '!=' as const),
      operand: fc.constant(0),
    }),
  )
  const register = fc.oneof(
    fc.record({ op: fc.constant('get' as const), key: fc.constant('x') }),
    fc.record({ op: fc.constant('put' as const), key: fc.constant('x'), value }),
    fc.record({
      op: fc.constant('cas' as const),
      key: fc.constant('x'),
      expected: fc.option(value, { nil: null }),
      value,
    }),
  )
  const anything = fc.oneof(
    step,
    register,
    fc.constant({ op: 'range', key: 'x', end: 'z' } as const),
    fc.record({
      op: fc.constant('txn' as const),
      compares: fc.array(compare, { maxLength: 2 }),
      success: fc.array(step, { maxLength: 2 }),
      failure: fc.array(step, { maxLength: 1 }),
    }),
  )

  interface Drawn {
    readonly input: KvInput
    readonly client: number
    readonly gap: number
    readonly length: number
    readonly place: number
    readonly outcome: 'ok' | 'unknown' | 'never' | 'untold'
    readonly lie: number
  }

  const drawn = (input: fc.Arbitrary<KvInput>): fc.Arbitrary<Drawn[]> =>
    fc.array(
      fc.record({
        input,
        client: fc.nat(2),
        gap: fc.nat(2),
        length: fc.nat(4),
        place: fc.nat(8),
        outcome: fc.constantFrom('ok', 'ok', 'ok', 'ok', 'unknown', 'never', 'untold'),
        lie: fc.nat(9),
      }),
      { minLength: 2, maxLength: 7 },
    )

  /** A real execution, with a reply changed here and there: about half of them still have an order. */
  function execute(draws: readonly Drawn[]): OperationRecord[] {
    const free = [0, 0, 0]
    const planned = draws.map((draw) => {
      const invokedMs = free[draw.client]! + draw.gap
      const returnedMs = invokedMs + draw.length
      free[draw.client] = returnedMs
      const late = draw.outcome === 'unknown' ? draw.place : 0
      return { draw, invokedMs, returnedMs, effectMs: invokedMs + (draw.place * draw.length) / 8 + late }
    })
    const store = new ModelStore()
    const outputs = new Map<Drawn, KvOutput>()
    for (const { draw } of [...planned].sort((a, b) => a.effectMs - b.effectMs))
      if (draw.outcome !== 'never') outputs.set(draw, store.apply(draw.input))
    return planned.map(({ draw, invokedMs, returnedMs }) => {
      const head = { type: 'operation', client: `c${draw.client}`, invokedMs, input: draw.input } as const
      if (draw.outcome === 'unknown' || draw.outcome === 'never') return { ...head, outcome: 'unknown' }
      const output = draw.outcome === 'untold' ? {} : bent(outputs.get(draw)!, draw.lie)
      return { ...head, returnedMs, outcome: 'ok', output }
    })
  }

  function bent({ revision: _, ...output }: KvOutput, lie: number): KvOutput {
    if (lie === 0 && output.succeeded !== undefined && output.steps === undefined)
      return { ...output, succeeded: !output.succeeded }
    if (lie === 0 && output.deleted !== undefined) return { ...output, deleted: 1 - output.deleted }
    if (lie > 1 || output.entries === undefined) return output
    if (output.entries.length === 0) return lie === 0 ? saw('1') : output
    return lie === 0 ? { entries: [] } : { entries: output.entries.map((entry) => ({ ...entry, value: '2' })) }
  }

  for (const [name, input] of [
    ['a register', register],
    ['two keys with everything', anything],
  ] as const) {
    test(`${name}: the same verdict`, () => {
      let invalidCount = 0
      fc.assert(
        fc.property(drawn(input as fc.Arbitrary<KvInput>), (draws) => {
          const history = execute(draws)
          const expected = isLinearizableNaive(history)
          if (!expected) invalidCount++
          assert.equal(checkLinearizability(history).verdict, expected ? 'linearizable' : 'not linearizable')
        }),
        { numRuns: runs },
      )
      assert.ok(invalidCount > runs / 20, `only ${invalidCount} of ${runs} histories were invalid`)
    })
  }
})

describe('long histories', () => {
  for (const revisions of [false, true])
    for (const coarse of [false, true])
      test(`valid ones are found valid${revisions ? ', with revisions' : ''}${coarse ? ', in whole milliseconds' : ''}`, () => {
        for (let seed = 0; seed < 15; seed++) {
          const mix = seed % 3 === 0 ? { get: 3, put: 3, delete: 1, cas: 1, range: 1, txn: 2 } : undefined
          const shape = { seed: `${seed}`, operations: 300, clients: 8, keys: 5, unknownShare: 0.05, revisions, coarse }
          const { operations } = generateHistory({ ...shape, ...(mix === undefined ? { values: 4 } : { mix }) })
          assert.equal(checkLinearizability(operations).verdict, 'linearizable', `seed ${seed}`)
        }
      })

  test('a reply of long ago is found', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { operations } = generateHistory({
        seed: `${seed}`,
        operations: 400,
        clients: 5,
        keys: 3,
        unknownShare: 0.02,
      })
      const reads = operations.filter((record) => record.outcome === 'ok' && (record.output?.entries?.length ?? 0) > 0)
      const late = reads.at(-1)!
      const early = reads.find(
        (read) => read.input.op === 'get' && late.input.op === 'get' && read.input.key === late.input.key,
      )!
      assert.notDeepEqual(early.output, late.output)
      const damaged = operations.map((record) => (record === late ? { ...late, output: early.output! } : record))
      assert.equal(checkLinearizability(damaged).verdict, 'not linearizable', `seed ${seed}`)
    }
  })
})

describe('bounds', () => {
  test('past the bound of steps it cannot tell', () => {
    const { operations } = generateHistory({ seed: 's', operations: 300, clients: 8, keys: 1, values: 3 })
    const verdict = linearizabilityChecker({ stepsMax: 50 }).check(operations)
    assert.equal(verdict.verdict, 'unknown')
  })

  test('without room to remember it still finds the truth', () => {
    const valid = generateHistory({ seed: 'm', operations: 60, clients: 4, keys: 1, values: 3, unknownShare: 0.05 })
    assert.equal(checkLinearizability(valid.operations, { fingerprintsMax: 4 }).verdict, 'linearizable')
  })
})

test('the explanation names the stuck operation, the state and the operations around it', () => {
  const verdict = linearizabilityChecker().check([
    ok(['a', 0, 1], put('1')),
    ok(['a', 2, 3], put('2')),
    ok(['b', 4, 5], get(), saw('1')),
    ok(['b', 6, 7], get('y'), saw(undefined, 'y')),
  ])
  assert.equal(verdict.verdict, 'invalid')
  assert.ok(verdict.verdict === 'invalid')
  assert.match(verdict.explanation, /get x → 1/)
  assert.match(verdict.explanation, /x = 2/)
  assert.equal(verdict.evidence.length, 3)
})
