import assert from 'node:assert/strict'
import { utf8Bytes } from '../../base/index.ts'
import type { Compare, Operation } from '../driver/index.ts'
import { type DefineTest, failsWith, type Ground, put, textOf } from './ground.ts'

export function describeTransactions(test: DefineTest): void {
  describeCompares(test)
  describeBranches(test)
  describeWrites(test)
  describeRangesInside(test)
}

function describeCompares(test: DefineTest): void {
  /** Which of the compares hold, asked without writing anything. */
  const holding = async (ground: Ground, compares: readonly Compare[]): Promise<boolean[]> => {
    const answers: boolean[] = []
    for (const compare of compares)
      answers.push((await ground.driver.transact({ compares: [compare], success: [] })).succeeded)
    return answers
  }

  test('compares of a key that is there', async (ground) => {
    await ground.put('a', 'one')
    await ground.put('a', 'two')
    const { key, createRevision, modRevision, version } = await ground.entry('a')
    assert.deepEqual(
      await holding(ground, [
        { key, target: 'exists', value: true },
        { key, target: 'exists', value: false },
        { key, target: 'value', is: '=', value: utf8Bytes('two') },
        { key, target: 'value', is: '=', value: utf8Bytes('one') },
        { key, target: 'value', is: '!=', value: utf8Bytes('two') },
        { key, target: 'value', is: '!=', value: utf8Bytes('one') },
      ]),
      [true, false, true, false, false, true],
    )
    for (const [target, now] of [
      ['createRevision', createRevision],
      ['modRevision', modRevision],
      ['version', version],
    ] as const) {
      const of = (is: '=' | '!=' | '<' | '>', value: number): Compare => ({ key, target, is, value })
      assert.deepEqual(
        await holding(ground, [
          of('=', now),
          of('=', now + 1),
          of('!=', now),
          of('!=', now + 1),
          of('<', now + 1),
          of('<', now),
          of('<', now - 1),
          of('>', now - 1),
          of('>', now),
          of('>', now + 1),
        ]),
        [true, false, false, true, true, false, false, true, false, false],
        target,
      )
    }
  })

  test('a key that is not there has version and revisions 0, and no value', async (ground) => {
    const key = ground.key('absent')
    assert.deepEqual(
      await holding(ground, [
        { key, target: 'exists', value: false },
        { key, target: 'exists', value: true },
        { key, target: 'value', is: '=', value: utf8Bytes('') },
        { key, target: 'value', is: '!=', value: utf8Bytes('x') },
      ]),
      [true, false, false, false],
    )
    for (const target of ['createRevision', 'modRevision', 'version'] as const) {
      const of = (is: '=' | '!=' | '<' | '>', value: number): Compare => ({ key, target, is, value })
      assert.deepEqual(
        await holding(ground, [of('=', 0), of('!=', 0), of('<', 1), of('>', 0)]),
        [true, false, true, false],
        target,
      )
    }
  })

  test('all compares must hold', async (ground) => {
    await ground.put('a', '1')
    const [a, b] = [ground.key('a'), ground.key('b')]
    const both: Compare[] = [
      { key: a, target: 'exists', value: true },
      { key: b, target: 'exists', value: true },
    ]
    const first = await ground.driver.transact({ compares: both, success: [put(ground.key('c'))] })
    assert.deepEqual([first.succeeded, first.results], [false, []])
    assert.equal(await ground.exists('c'), false)
    await ground.put('b')
    assert.equal((await ground.driver.transact({ compares: both, success: [put(ground.key('c'))] })).succeeded, true)
    assert.equal(await ground.exists('c'), true)
  })
}

function describeBranches(test: DefineTest): void {
  test('the branch that is not taken does nothing', async (ground) => {
    const [a, b, c] = [ground.key('a'), ground.key('b'), ground.key('c')]
    const once = {
      compares: [{ key: a, target: 'exists', value: false }],
      success: [put(a, 'first'), put(b, 'success')],
      failure: [put(c, 'failure'), { type: 'get', key: a }],
    } as const
    const first = await ground.driver.transact(once)
    assert.deepEqual([first.succeeded, first.results], [true, [{ type: 'put' }, { type: 'put' }]])
    assert.deepEqual(await ground.names(), ['a', 'b'])
    const second = await ground.driver.transact(once)
    assert.equal(second.succeeded, false)
    assert.deepEqual(
      second.results.map((result) => (result.type === 'get' ? textOf(result.entry) : result.type)),
      ['put', 'first'],
    )
    assert.equal(textOf(await ground.entry('b')), 'success')
    assert.equal((await ground.entry('c')).modRevision, second.revision)
  })

  test('reads inside see the writes before them', async (ground) => {
    await ground.put('a', 'old')
    await ground.put('c', 'old')
    const [a, b, c] = [ground.key('a'), ground.key('b'), ground.key('c')]
    const get = (key: string): Operation => ({ type: 'get', key })
    const { results, revision } = await ground.write(
      get(a),
      put(a, 'new'),
      get(a),
      get(b),
      put(b, 'made'),
      get(b),
      { type: 'delete', key: c },
      get(c),
    )
    assert.deepEqual(
      results.map((result) => (result.type === 'get' ? textOf(result.entry) : result.type)),
      ['old', 'put', 'new', undefined, 'put', 'made', 'delete', undefined],
    )
    const inside = results[2]!
    assert.ok(inside.type === 'get' && inside.entry !== undefined)
    assert.deepEqual([inside.entry.modRevision, inside.entry.version], [revision, 2])
    assert.deepEqual({ ...(await ground.entry('a')) }, { ...inside.entry })
  })

  test('a transaction that only reads is as of one revision, and makes none', async (ground) => {
    await ground.put('a', '1')
    const { revision } = await ground.put('b', '1')
    const read = await ground.write({ type: 'get', key: ground.key('a') }, { type: 'get', key: ground.key('b') })
    assert.ok(read.revision >= revision)
    assert.deepEqual(
      read.results.map((result) => result.type === 'get' && textOf(result.entry)),
      ['1', '1'],
    )
    assert.equal((await ground.entry('a')).version, 1)
  })
}

function describeWrites(test: DefineTest): void {
  test('the writes of a transaction share its revision', async (ground) => {
    const { revision } = await ground.write(put(ground.key('a')), put(ground.key('b')), put(ground.key('c')))
    for (const name of ['a', 'b', 'c']) {
      const { createRevision, modRevision } = await ground.entry(name)
      assert.deepEqual([createRevision, modRevision], [revision, revision])
    }
  })

  test('a key written twice is refused, and nothing is written', async (ground) => {
    const [a, b] = [ground.key('a'), ground.key('b')]
    for (const twice of [
      [put(b), put(a, '1'), put(a, '2')],
      [put(b), put(a, '1'), { type: 'delete', key: a }],
    ] as const) {
      await assert.rejects(ground.write(...twice), failsWith('INVALID_ARGUMENT', 'not-applied'))
    }
    assert.deepEqual(await ground.names(), [])
  })

  test('both branches may write the same key', async (ground) => {
    const a = ground.key('a')
    const swap = {
      compares: [{ key: a, target: 'exists', value: true }],
      success: [put(a, '2')],
      failure: [put(a, '1')],
    }
    for (const expected of ['1', '2'])
      assert.equal(
        await ground.driver.transact(swap as never).then(async () => textOf(await ground.entry('a'))),
        expected,
      )
  })

  test('increments under contention are neither lost nor doubled', async (ground) => {
    const key = ground.key('counter')
    await ground.put('counter', '0')
    const increment = async (): Promise<void> => {
      for (;;) {
        const { value, modRevision } = await ground.entry('counter')
        const next = String(Number(Buffer.from(value).toString()) + 1)
        const compare: Compare = { key, target: 'modRevision', is: '=', value: modRevision }
        if ((await ground.driver.transact({ compares: [compare], success: [put(key, next)] })).succeeded) return
      }
    }
    await Promise.all(
      Array.from({ length: 5 }, async () => {
        for (let i = 0; i < 6; i++) await increment()
      }),
    )
    const { value, version } = await ground.entry('counter')
    assert.deepEqual([Buffer.from(value).toString(), version], ['30', 31])
  })
}

function describeRangesInside(test: DefineTest): void {
  const needs: Parameters<DefineTest>[2] = {
    unless: ({ driver: { can, engine } }) =>
      can.rangeInTransaction ? undefined : `a transaction of ${engine} takes single keys only`,
  }

  test(
    'ranges inside a transaction',
    async (ground) => {
      for (const name of ['a', 'b', 'c', 'd']) await ground.put(name, name)
      const range = { start: ground.key('a'), end: ground.key('d') }
      const { results } = await ground.write(
        { type: 'list', range, limit: 2 },
        { type: 'list', range, keysOnly: true },
        { type: 'deleteRange', range: { start: ground.key('b'), end: ground.key('d') } },
        { type: 'list', range: ground.all },
      )
      assert.deepEqual(
        results.map((result) =>
          result.type === 'list'
            ? `${result.entries.map(textOf).join(',')}${result.more ? '…' : ''}`
            : result.type === 'delete' && result.deleted,
        ),
        ['a,b…', ',,', 2, 'a,d'],
      )
      assert.deepEqual(await ground.names(), ['a', 'd'])
    },
    needs,
  )

  test(
    'ranges that hold nothing are answered as such, in their place',
    async (ground) => {
      await ground.put('a', 'a')
      const nothing = { start: ground.key('z'), end: ground.key('b') }
      const { results } = await ground.write(
        { type: 'list', range: nothing },
        { type: 'get', key: ground.key('a') },
        { type: 'deleteRange', range: nothing },
        put(ground.key('b')),
      )
      assert.deepEqual(
        results.map((result) => result.type),
        ['list', 'get', 'delete', 'put'],
      )
      assert.deepEqual(results[0], { type: 'list', entries: [], more: false })
      assert.deepEqual(results[2], { type: 'delete', deleted: 0 })
    },
    needs,
  )

  test(
    'a put below a deleteRange of the same transaction is refused',
    async (ground) => {
      await ground.put('a', 'a')
      const both: Operation[] = [{ type: 'deleteRange', range: ground.all }, put(ground.key('a'), 'b')]
      await assert.rejects(ground.write(...both), failsWith('INVALID_ARGUMENT', 'not-applied'))
      assert.equal(textOf(await ground.entry('a')), 'a')
    },
    needs,
  )
}
