import assert from 'node:assert/strict'
import { type DefineTest, failsWith, put, textOf } from './ground.ts'

const ttlMs = 1000

export function describeLeases(test: DefineTest): void {
  describeLives(test)
  describeKeys(test)
}

function describeLives(test: DefineTest): void {
  test('a lease lasts at least what was asked for, counted from when that was sent', async (ground) => {
    const beforeMs = ground.nowMs
    const lease = await ground.driver.grantLease(ttlMs)
    assert.ok(lease.leaseId !== 0n)
    assert.ok(lease.ttlMs >= ttlMs)
    assert.ok(lease.sentAtMs >= beforeMs && lease.sentAtMs <= ground.nowMs)
    await ground.put('a', '1', lease.leaseId)
    assert.equal((await ground.entry('a')).leaseId, lease.leaseId)
    await ground.until('the lease ends, and its key with it', async () => !(await ground.exists('a')))
    assert.ok(ground.nowMs >= lease.sentAtMs + ttlMs, 'not before its time')
    await assert.rejects(ground.driver.renewLease(lease.leaseId), failsWith('LEASE_NOT_FOUND', 'not-applied'))
  })

  test('leases differ, and each ends for itself', async (ground) => {
    const leases = await Promise.all([1, 2, 3].map(() => ground.driver.grantLease(60_000)))
    assert.equal(new Set(leases.map(({ leaseId }) => leaseId)).size, 3)
    for (const [i, { leaseId }] of leases.entries()) await ground.put(`k${i}`, '', leaseId)
    await ground.driver.revokeLease(leases[1]!.leaseId)
    assert.deepEqual(await ground.names(), ['k0', 'k2'])
    for (const { leaseId } of leases) await ground.driver.revokeLease(leaseId)
    assert.deepEqual(await ground.names(), [])
  })

  test('a lease that is renewed goes on', async (ground) => {
    const { leaseId, sentAtMs, ttlMs: grantedMs } = await ground.driver.grantLease(ttlMs)
    await ground.put('a', '1', leaseId)
    let last = sentAtMs
    while (last < sentAtMs + 2 * grantedMs) {
      const beforeMs = ground.nowMs
      const renewed = await ground.driver.renewLease(leaseId)
      assert.equal(renewed.leaseId, leaseId)
      assert.ok(renewed.ttlMs >= ttlMs)
      assert.ok(renewed.sentAtMs >= beforeMs && renewed.sentAtMs <= ground.nowMs)
      last = renewed.sentAtMs
      await ground.pause(grantedMs / 5)
    }
    assert.equal(await ground.exists('a'), true)
    await ground.driver.revokeLease(leaseId)
  })

  test('many renewals at once are all answered, each for its own lease', async (ground) => {
    const leases = await Promise.all(Array.from({ length: 20 }, () => ground.driver.grantLease(60_000)))
    await ground.driver.revokeLease(leases[7]!.leaseId)
    const answers = await Promise.allSettled(leases.map(({ leaseId }) => ground.driver.renewLease(leaseId)))
    assert.deepEqual(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.leaseId : answer.reason.code)),
      leases.map(({ leaseId }, i) => (i === 7 ? 'LEASE_NOT_FOUND' : leaseId)),
    )
    for (const { leaseId } of leases) await ground.driver.revokeLease(leaseId)
  })

  test('revoking deletes the keys at once, and may be repeated', async (ground) => {
    const { leaseId } = await ground.driver.grantLease(60_000)
    await ground.write(
      put(ground.key('a'), '1', leaseId),
      put(ground.key('b'), '2', leaseId),
      put(ground.key('c'), '3'),
    )
    await ground.driver.revokeLease(leaseId)
    assert.deepEqual(await ground.names(), ['c'])
    await ground.driver.revokeLease(leaseId)
    await assert.rejects(ground.driver.renewLease(leaseId), failsWith('LEASE_NOT_FOUND', 'not-applied'))
  })

  test('a lease that cannot be is refused', async (ground) => {
    for (const wrong of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
      await assert.rejects(ground.driver.grantLease(wrong), failsWith('INVALID_ARGUMENT', 'not-applied'))
  })
}

function describeKeys(test: DefineTest): void {
  test('a put under a lease that has ended is LEASE_NOT_FOUND, and nothing of it happens', async (ground) => {
    const { leaseId } = await ground.driver.grantLease(60_000)
    await ground.driver.revokeLease(leaseId)
    await assert.rejects(
      ground.write(put(ground.key('b'), '1'), put(ground.key('a'), '1', leaseId)),
      failsWith('LEASE_NOT_FOUND', 'not-applied'),
    )
    assert.deepEqual(await ground.names(), [])
  })

  test('a put replaces the lease: the key ends with the last one, or with none', async (ground) => {
    const [first, second] = await Promise.all([ground.driver.grantLease(60_000), ground.driver.grantLease(60_000)])
    await ground.put('kept', '1', first.leaseId)
    await ground.put('moved', '1', first.leaseId)
    await ground.put('kept', '2')
    await ground.put('moved', '2', second.leaseId)
    assert.equal((await ground.entry('kept')).leaseId, 0n)
    assert.equal((await ground.entry('moved')).leaseId, second.leaseId)
    await ground.driver.revokeLease(first.leaseId)
    assert.deepEqual(await ground.names(), ['kept', 'moved'])
    await ground.driver.revokeLease(second.leaseId)
    assert.deepEqual(await ground.names(), ['kept'])
    assert.equal(textOf(await ground.entry('kept')), '2')
  })

  test('changing the lease keeps the version, or makes the key anew, as the driver says', async (ground) => {
    const { leaseId } = await ground.driver.grantLease(60_000)
    await ground.put('a', '1')
    const before = await ground.entry('a')
    const { revision } = await ground.put('a', '2', leaseId)
    const after = await ground.entry('a')
    const expected = ground.driver.can.leaseChangeKeepsVersion
      ? [before.createRevision, revision, 2]
      : [revision, revision, 1]
    assert.deepEqual([after.createRevision, after.modRevision, after.version], expected)
    await ground.put('a', '3', leaseId)
    assert.equal((await ground.entry('a')).version, after.version + 1)
    await ground.driver.revokeLease(leaseId)
  })
}
