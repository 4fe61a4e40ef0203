import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes } from '../../../base/index.ts'
import { MemoryStore, MemoryStoreLoader } from '../../../storage/mvcc/index.ts'
import { RestoreError } from '../../replication/index.ts'
import {
  commandTypes,
  encodeCommand,
  encodeCompactRequest,
  encodeLeaseGrantCommand,
  encodeLeaseRevokeCommand,
  encodeLeaseRevokeRequest,
} from '../codec/index.ts'
import type { Member, Operation } from '../messages.ts'
import { encodeRequest, putRequest, rangeRequest, txnRequest } from '../testing/encode-requests.ts'
import { CoordinationStateMachine } from './index.ts'

const founders: readonly Member[] = [
  { id: 7n, name: 'one', peerUrls: ['http://h:2380'], clientUrls: [], isLearner: false },
]

class MachineWorld {
  readonly machine = new CoordinationStateMachine(
    { create: () => new MemoryStore(), loader: () => new MemoryStoreLoader() },
    founders,
  )
  private index = 0

  apply(command: Uint8Array, wanted = true) {
    return this.machine.apply(command, { index: ++this.index, term: 1 }, wanted)
  }

  write(request: Extract<Operation, { type: 'put' | 'deleteRange' | 'txn' }>, wanted = true) {
    return this.apply(encodeCommand(commandTypes[request.type], 0, encodeRequest(request)), wanted)
  }

  image(): Uint8Array {
    const snapshot = this.machine.snapshot()
    const chunks: Uint8Array[] = []
    for (let chunk = snapshot.next(64); chunk !== undefined; chunk = snapshot.next(64)) chunks.push(chunk)
    snapshot.close()
    return concatBytes(chunks)
  }
}

describe('observers', () => {
  it('hear of each change once, a compaction before and after', () => {
    const world = new MachineWorld()
    const heard: string[] = []
    const stop = world.machine.observe({
      onRevision: (revision) => heard.push(`revision ${revision}`),
      onCompacting: (at) => heard.push(`compacting ${at}, before it ${world.machine.store.compactedRevision}`),
      onCompacted: (at) => heard.push(`compacted ${at}`),
      onLeaseGranted: (id, ttlSeconds) => heard.push(`granted ${id} for ${ttlSeconds}`),
      onLeaseRevoked: (id) => heard.push(`revoked ${id}`),
      onRestored: () => heard.push('restored'),
    })
    world.apply(encodeLeaseGrantCommand(0, 5n, 60, new Uint8Array(0)))
    world.write(putRequest('a', '1', { lease: 5n }), false)
    world.write(txnRequest({ success: [rangeRequest('a')] }))
    world.apply(encodeCommand(commandTypes.compact, 0, encodeCompactRequest({ revision: 2, physical: false })))
    world.apply(encodeLeaseRevokeCommand(0, 999, encodeLeaseRevokeRequest(5n)))
    assert.ok(world.machine.leases.has(5n), 'a leader of another term cannot expire it')
    world.apply(encodeLeaseRevokeCommand(0, 0, encodeLeaseRevokeRequest(5n)))
    const restorer = world.machine.restore()
    restorer.write(world.image())
    restorer.finish()
    stop()
    world.write(putRequest('b'))
    assert.deepEqual(heard, [
      'granted 5 for 60',
      'revision 2',
      'compacting 2, before it 0',
      'compacted 2',
      'revoked 5',
      'revision 3',
      'restored',
    ])
  })
})

describe('an image', () => {
  it('is of the moment it was begun, whatever is applied while it is read', () => {
    const world = new MachineWorld()
    world.write(putRequest('a', '1'))
    const snapshot = world.machine.snapshot()
    assert.equal(world.machine.pins, 1)
    world.write(putRequest('a', '2'))
    world.apply(encodeLeaseGrantCommand(0, 5n, 60, new Uint8Array(0)))
    const copy = new MachineWorld()
    const restorer = copy.machine.restore()
    for (let chunk = snapshot.next(64); chunk !== undefined; chunk = snapshot.next(64)) restorer.write(chunk)
    snapshot.close()
    snapshot.close()
    restorer.finish()
    assert.equal(world.machine.pins, 0)
    assert.deepEqual([copy.machine.store.revision, copy.machine.leases.count, copy.machine.appliedIndex], [2, 0, 1])
  })

  it('that is cut anywhere is refused, and leaves the state as it was', () => {
    const source = new MachineWorld()
    source.apply(encodeLeaseGrantCommand(0, 5n, 60, new Uint8Array(0)))
    source.write(putRequest('a', '1', { lease: 5n }))
    const image = source.image()
    for (let length = 0; length < image.length; length++) {
      const { machine } = new MachineWorld()
      const { store } = machine
      assert.throws(() => {
        const restorer = machine.restore()
        restorer.write(image.subarray(0, length))
        restorer.finish()
      }, RestoreError)
      assert.equal(machine.store, store)
    }
  })

  it('of another format, or that goes on after its end, is refused', () => {
    const image = new MachineWorld().image()
    const newer = Uint8Array.from(image)
    newer[7] = 3
    for (const bytes of [newer, Uint8Array.from([...image, 1, 0, 0, 0, 0])]) {
      assert.throws(() => {
        const restorer = new MachineWorld().machine.restore()
        restorer.write(bytes)
        restorer.finish()
      }, RestoreError)
    }
  })
})
