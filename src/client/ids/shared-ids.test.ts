import assert from 'node:assert/strict'
import { test } from 'node:test'
import { onGround } from '../turns/testing/client-ground.ts'
import { sharedIds } from './index.ts'

test('a program that asks for its generator anew for each id uses one slot', () =>
  onGround(71, async ({ client, keys }) => {
    const ids = sharedIds(client().context)
    const made = new Set<bigint>()
    for (let count = 0; count < 1_100; count++) made.add(await ids('orders').next())
    assert.equal(made.size, 1_100)
    assert.equal((await keys('synod/ids/orders/slots/')).length, 1)
  }))

test('the slot goes back with the last handle, and each handle is closed on its own', () =>
  onGround(72, async ({ client, keys }) => {
    const ids = sharedIds(client().context)
    const [one, two] = [ids('orders'), ids('orders')]
    await one.next()
    await one.close()
    await one.close()
    await assert.rejects(one.next(), { code: 'CLOSED' })
    await two.nextString()
    assert.equal((await keys('synod/ids/orders/slots/')).length, 1)
    await two.close()
    assert.equal((await keys('synod/ids/orders/slots/')).length, 0)
    assert.ok((await ids('orders').next()) > 0n)
  }))
