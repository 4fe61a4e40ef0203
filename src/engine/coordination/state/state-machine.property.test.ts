import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { MemoryStore, MemoryStoreLoader } from '../../../storage/mvcc/index.ts'
import {
  commandTypes,
  encodeAlarmRequest,
  encodeCommand,
  encodeCompactRequest,
  encodeLeaseGrantCommand,
  encodeLeaseRevokeCommand,
  encodeLeaseRevokeRequest,
  encodeMemberAttributes,
  encodeMemberChange,
} from '../codec/index.ts'
import {
  alarmActions,
  alarmTypes,
  type DeleteRangeRequest,
  type Member,
  type MemberChange,
  type PutRequest,
  type TxnRequest,
} from '../messages.ts'
import { evaluateNow } from '../ranges/index.ts'
import { anyDeleteRange, anyLease, anyPut, anyRange, anyTxn } from '../testing/arbitraries.ts'
import { encodeRequest } from '../testing/encode-requests.ts'
import { NaiveKv, type NaiveResult } from '../testing/naive-kv.ts'
import { readResult } from '../testing/read-result.ts'
import { validateTxn } from '../validation/index.ts'
import { CoordinationStateMachine, StateHashJob } from './index.ts'

type Step =
  | { readonly type: 'write'; readonly request: PutRequest | DeleteRangeRequest | TxnRequest }
  | { readonly type: 'compact'; readonly back: number }
  | { readonly type: 'grant'; readonly id: bigint }
  | { readonly type: 'revoke'; readonly id: bigint }
  | { readonly type: 'alarm'; readonly action: number; readonly memberId: bigint }
  | { readonly type: 'member'; readonly command: MemberCommand; readonly change: MemberChange }

type MemberCommand = 'memberAdd' | 'memberRemove' | 'memberUpdate' | 'memberPromote'

const existing = anyLease.filter((id) => id !== 0n)
const anyStep: fc.Arbitrary<Exclude<Step, { type: 'alarm' | 'member' }>> = fc.oneof(
  { weight: 8, arbitrary: anyPut.map((request) => ({ type: 'write' as const, request })) },
  { weight: 1, arbitrary: anyDeleteRange.map((request) => ({ type: 'write' as const, request })) },
  {
    weight: 6,
    arbitrary: anyTxn
      .filter((request) => validateTxn(request, 128) === undefined)
      .map((request) => ({ type: 'write' as const, request })),
  },
  { weight: 1, arbitrary: fc.integer({ min: -1, max: 8 }).map((back) => ({ type: 'compact' as const, back })) },
  { weight: 2, arbitrary: existing.map((id) => ({ type: 'grant' as const, id })) },
  { weight: 1, arbitrary: existing.map((id) => ({ type: 'revoke' as const, id })) },
)

const anyMemberStep: fc.Arbitrary<Extract<Step, { type: 'member' }>> = fc.record({
  type: fc.constant('member' as const),
  command: fc.constantFrom('memberAdd', 'memberRemove', 'memberUpdate', 'memberPromote'),
  change: fc.record({
    id: fc.constantFrom(0n, 1n, 2n, 3n, 2n ** 64n - 1n),
    peerUrls: fc.array(fc.constantFrom('http://h:1', 'http://h:3', 'http://h:4', 'http://h:5'), { maxLength: 2 }),
    isLearner: fc.boolean(),
  }),
})

const anyStepOrAlarm: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: anyStep },
  { weight: 6, arbitrary: anyMemberStep },
  fc.record({ type: fc.constant('alarm' as const), action: fc.nat(2), memberId: fc.constantFrom(1n, 2n ** 64n - 1n) }),
)

const founders: readonly Member[] = [
  { id: 1n, name: 'one', peerUrls: ['http://h:1'], clientUrls: [], isLearner: false },
  { id: 2n ** 64n - 1n, name: 'two', peerUrls: ['http://h:2'], clientUrls: [], isLearner: false },
]

function newMachine(): CoordinationStateMachine {
  return new CoordinationStateMachine(
    { create: () => new MemoryStore(), loader: () => new MemoryStoreLoader() },
    founders,
  )
}

function commandOf(step: Step, revision: number): Uint8Array {
  switch (step.type) {
    case 'write':
      return encodeCommand(commandTypes[step.request.type], 0, encodeRequest(step.request))
    case 'compact':
      return encodeCommand(
        commandTypes.compact,
        0,
        encodeCompactRequest({ revision: revision - step.back, physical: false }),
      )
    case 'alarm': {
      const { action, memberId } = step
      return encodeCommand(commandTypes.alarm, 0, encodeAlarmRequest({ action, memberId, alarm: alarmTypes.noSpace }))
    }
    case 'member':
      return encodeCommand(commandTypes[step.command], 0, encodeMemberChange(step.change))
    case 'grant':
      return encodeLeaseGrantCommand(0, step.id, 60, new Uint8Array(0))
    case 'revoke':
      return encodeLeaseRevokeCommand(0, 0, encodeLeaseRevokeRequest(step.id))
  }
}

function applyNaively(model: NaiveKv, step: Exclude<Step, { type: 'alarm' | 'member' }>): NaiveResult {
  if (step.type === 'compact') return model.compact(model.revision - step.back)
  if (step.type === 'grant') return model.grant(step.id, 60)
  if (step.type === 'revoke') return model.revoke(step.id)
  const { request } = step
  if (request.type === 'put') return model.put(request)
  return request.type === 'deleteRange' ? model.deleteRange(request) : model.txn(request)
}

function hashOf(machine: CoordinationStateMachine): number {
  const job = new StateHashJob(machine.present, machine.appliedIndex)
  for (;;) {
    const hash = job.step()
    if (hash === undefined) continue
    job.close()
    return hash.hash
  }
}

function restoredFrom(machine: CoordinationStateMachine, chunkBytes: number): CoordinationStateMachine {
  const snapshot = machine.snapshot()
  const copy = newMachine()
  const restorer = copy.restore()
  for (let chunk = snapshot.next(chunkBytes); chunk !== undefined; chunk = snapshot.next(chunkBytes)) {
    const cut = Math.floor(chunk.length / 3)
    restorer.write(chunk.subarray(0, cut))
    restorer.write(chunk.subarray(cut))
  }
  snapshot.close()
  restorer.finish()
  return copy
}

describe('the state machine and its naive twin', () => {
  it('answer random commands and ranges alike', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyStep, anyRange), { maxLength: 40 }), (steps) => {
        const machine = newMachine()
        const model = new NaiveKv()
        for (const [i, [step, range]] of steps.entries()) {
          const command = commandOf(step, machine.store.revision)
          const expected = applyNaively(model, step)
          const result = machine.apply(command, { index: i + 1, term: 1 }, true)
          assert.deepEqual(readResult(machine.store, result), expected)
          assert.equal(machine.store.revision, model.revision)
          const answer = evaluateNow(machine.store, range, machine.store.revision)
          assert.deepEqual(readResult(machine.store, answer), model.range(range))
          for (const id of model.leases.keys()) assert.deepEqual(machine.leases.keys(id), model.keysOf(id))
          assert.equal(machine.leases.count, model.leases.size)
        }
      }),
      { numRuns: 1500 },
    )
  })
})

describe('the same log', () => {
  it('gives the same state hash, wanted or not, across a snapshot, and with memory reclaimed or not', () => {
    fc.assert(
      fc.property(fc.array(anyStepOrAlarm, { maxLength: 40 }), fc.nat(40), fc.nat(4), (steps, cut, reclaimEvery) => {
        const first = newMachine()
        let second = newMachine()
        for (const [i, step] of steps.entries()) {
          const command = commandOf(step, first.store.revision)
          const position = { index: i + 1, term: 1 }
          first.apply(command, position, true)
          second.apply(command, position, false)
          if (reclaimEvery > 0 && i % reclaimEvery === 0) second.store.reclaim(1000, () => 0)
          if (i === cut) second = restoredFrom(second, 16 + cut)
        }
        assert.equal(second.store.revision, first.store.revision)
        assert.equal(hashOf(second), hashOf(first))
        assert.equal(second.appliedIndex, first.appliedIndex)
        assert.deepEqual(second.alarms(), first.alarms())
        assert.deepEqual(second.members(), first.members())
        for (const id of [1n, 2n, 3n]) assert.equal(second.isRemoved(id), first.isRemoved(id))
        for (const id of first.leases.ids()) assert.deepEqual(second.leases.keys(id), first.leases.keys(id))
      }),
      { numRuns: 500 },
    )
  })

  it('whatever bytes it holds, applies without throwing, the same everywhere', () => {
    const anyCommand = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.tuple(fc.nat(13), fc.uint8Array({ maxLength: 40 })).map(([type, payload]) => {
        return Uint8Array.from([type, 8, 0, 0, 0, 0, 0, 0, ...payload])
      }),
    )
    fc.assert(
      fc.property(fc.array(anyCommand, { maxLength: 20 }), (commands) => {
        const machines = [newMachine(), newMachine()]
        for (const [i, command] of commands.entries()) {
          const [a, b] = machines.map((machine) => {
            return readResult(machine.store, machine.apply(command, { index: i + 1, term: 1 }, true))
          })
          assert.deepEqual(a, b)
        }
        assert.equal(hashOf(machines[0]!), hashOf(machines[1]!))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('the state hash', () => {
  it('tells states apart that differ in a value, a lease, an alarm or a member only', () => {
    const put = (value: string): Uint8Array =>
      encodeCommand(commandTypes.put, 0, Buffer.from(`0a016b1201${Buffer.from(value).toString('hex')}`, 'hex'))
    const grant = encodeLeaseGrantCommand(0, 5n, 60, new Uint8Array(0))
    const alarm = encodeCommand(
      commandTypes.alarm,
      0,
      encodeAlarmRequest({ action: alarmActions.activate, memberId: 1n, alarm: alarmTypes.noSpace }),
    )
    const member = encodeCommand(
      commandTypes.memberAdd,
      0,
      encodeMemberChange({ id: 9n, peerUrls: ['http://h:9'], isLearner: false }),
    )
    const gone = encodeCommand(
      commandTypes.memberRemove,
      0,
      encodeMemberChange({ id: 9n, peerUrls: [], isLearner: false }),
    )
    const attributes = { memberId: 1n, name: 'other', clientUrls: [] }
    const renamed = encodeCommand(commandTypes.memberAttributes, 0, encodeMemberAttributes(attributes))
    const logs = [[], [put('a')], [put('b')], [put('a'), grant], [put('a'), alarm], [member], [member, gone], [renamed]]
    const hashes = logs.map((commands) => {
      const machine = newMachine()
      for (const [i, command] of commands.entries()) machine.apply(command, { index: i + 1, term: 1 }, false)
      return hashOf(machine)
    })
    assert.equal(new Set(hashes).size, hashes.length)
  })
})
