import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { z } from 'zod'
import type { SchemaInput, SchemaOutput } from '../schema/index.ts'
import { embeddedForSuite, freshPrefix } from '../watching/testing/embedded.ts'
import { createKv } from './index.ts'
import { planeOn } from './testing/plane.ts'

const user = z.object({
  name: z.string().min(1),
  age: z.number().default(0),
  born: z.iso
    .date()
    .transform((text) => Number(text.slice(0, 4)))
    .optional(),
})

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function holds<_T extends true>(): void {}
holds<Equal<SchemaInput<typeof user>, z.input<typeof user>>>()
holds<Equal<SchemaOutput<typeof user>, z.output<typeof user>>>()

suite('a typed view', () => {
  const engine = embeddedForSuite()

  test('stores what was given and reads what the schema makes of it', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const users = kv.as(user)
    await users.put('u/1', { name: 'Ada', born: '1815-12-10' })
    assert.equal((await kv.get('u/1'))?.text(), '{"name":"Ada","born":"1815-12-10"}')
    const ada = (await users.get('u/1'))!
    holds<Equal<typeof ada.value.born, number | undefined>>()
    assert.deepEqual(ada.value, { name: 'Ada', age: 0, born: 1815 })
    assert.equal(await users.get('u/2'), undefined)
    assert.equal((await users.delete('u/1')).deleted, true)
  })

  test('refuses before anything is written', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const users = kv.as(user)
    await assert.rejects(users.put('u/1', { name: '' }), (error: Error & { issues: unknown[] }) => {
      assert.match(error.message, /the value for key "u\/1" does not fit its schema: name: /)
      assert.equal((error as { code?: string }).code, 'VALIDATION_FAILED')
      return error.issues.length === 1
    })
    // @ts-expect-error: no such input.
    await assert.rejects(users.put('u/1', { name: 5 }), { code: 'VALIDATION_FAILED', outcome: 'not-applied' })
    assert.equal(await kv.get('u/1'), undefined)
    const anything = kv.as(z.any())
    await assert.rejects(anything.put('a', 1n), { code: 'VALIDATION_FAILED', message: /no JSON/ })
    await assert.rejects(anything.put('a', undefined), { code: 'VALIDATION_FAILED', message: /no JSON/ })
  })

  test('what is stored and does not fit is told where it is met', async () => {
    const kv = createKv(planeOn(engine.driver, freshPrefix()))
    const users = kv.as(user)
    const { revision } = await users.put('u/1', { name: 'Ada' })
    await kv.put('u/2', '{"name":7}')
    await kv.put('u/3', Uint8Array.of(0xff))
    await assert.rejects(users.get('u/2'), { code: 'VALIDATION_FAILED', message: /key "u\/2"/ })
    await assert.rejects(users.get('u/3'), { code: 'VALIDATION_FAILED' })
    const seen: string[] = []
    await assert.rejects(
      async () => {
        for await (const { key } of users.list({ prefix: 'u/' })) seen.push(key)
      },
      { code: 'VALIDATION_FAILED' },
    )
    await assert.rejects(
      async () => {
        for await (const { key } of users.watch({ prefix: 'u/', fromRevision: revision })) seen.push(key)
      },
      { code: 'VALIDATION_FAILED' },
    )
    assert.deepEqual(seen, ['u/1', 'u/1'])
  })

  test('compares and swaps values', async () => {
    const users = createKv(planeOn(engine.driver, freshPrefix())).as(user)
    await users.put('u/1', { name: 'Ada' })
    assert.equal((await users.compareAndSwap('u/1', { value: { name: 'Bob' } }, { name: 'x' })).current?.value.age, 0)
    assert.equal((await users.compareAndSwap('u/1', { value: { name: 'Ada' } }, { name: 'Bob', age: 3 })).swapped, true)
    assert.deepEqual((await users.get('u/1'))?.value, { name: 'Bob', age: 3 })
  })

  test('takes a validator that answers later', async () => {
    const later = z.string().refine(async (text) => text.length > 2)
    const texts = createKv(planeOn(engine.driver, freshPrefix())).as(later)
    await assert.rejects(texts.put('a', 'no'), { code: 'VALIDATION_FAILED' })
    await texts.put('a', 'long enough')
    assert.equal((await texts.get('a'))?.value, 'long enough')
  })
})
