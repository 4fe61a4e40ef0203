import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { concatBytes } from '../../../base/index.ts'
import { MemoryStore, MemoryStoreLoader } from '../../../storage/mvcc/index.ts'
import { RestoreError } from '../../replication/index.ts'
import { commandTypes, encodeCommand, encodeMemberAttributes, encodeMemberChange } from '../codec/index.ts'
import type { Member, MemberAttributes } from '../messages.ts'
import { CoordinationStateMachine } from './index.ts'

const founders: readonly Member[] = [
  { id: 7n, name: 'two', peerUrls: ['http://h:2'], clientUrls: [], isLearner: false },
  { id: 3n, name: 'one', peerUrls: ['http://h:1'], clientUrls: [], isLearner: false },
]

class MembersWorld {
  readonly machine = new CoordinationStateMachine(
    { create: () => new MemoryStore(), loader: () => new MemoryStoreLoader() },
    founders,
  )
  changes = 0
  private index = 0

  constructor() {
    this.machine.observe({ onMembersChanged: () => this.changes++ })
  }

  /** `ok`, or the refusal's code. */
  apply(type: keyof typeof commandTypes, payload: Uint8Array): string {
    const command = encodeCommand(commandTypes[type], 0, payload)
    const result = this.machine.apply(command, { index: ++this.index, term: 1 }, true)
    if (result.ok && result.type === 'memberChange') assert.deepEqual(result.members, this.machine.members())
    return result.ok ? 'ok' : result.code
  }

  add(id: bigint, peerUrls: readonly string[], isLearner = false): string {
    return this.apply('memberAdd', encodeMemberChange({ id, peerUrls, isLearner }))
  }

  remove(id: bigint): string {
    return this.apply('memberRemove', encodeMemberChange({ id, peerUrls: [], isLearner: false }))
  }

  update(id: bigint, peerUrls: readonly string[]): string {
    return this.apply('memberUpdate', encodeMemberChange({ id, peerUrls, isLearner: false }))
  }

  promote(id: bigint): string {
    return this.apply('memberPromote', encodeMemberChange({ id, peerUrls: [], isLearner: false }))
  }

  publish(attributes: MemberAttributes): string {
    return this.apply('memberAttributes', encodeMemberAttributes(attributes))
  }

  list(): string[] {
    return this.machine.members().map(({ id, name, peerUrls, clientUrls, isLearner }) => {
      return `${id} ${name} ${peerUrls.join()} ${clientUrls.join()}${isLearner ? ' learner' : ''}`
    })
  }

  image(): Uint8Array {
    const snapshot = this.machine.snapshot()
    const chunks: Uint8Array[] = []
    for (let chunk = snapshot.next(64); chunk !== undefined; chunk = snapshot.next(64)) chunks.push(chunk)
    snapshot.close()
    return concatBytes(chunks)
  }

  restore(image: Uint8Array): void {
    const restorer = this.machine.restore()
    restorer.write(image)
    restorer.finish()
  }
}

describe('declared members', () => {
  it('begin as the founders, by id', () => {
    assert.deepEqual(new MembersWorld().list(), ['3 one http://h:1 ', '7 two http://h:2 '])
  })

  it('are added without a name, publish what they are, move and leave', () => {
    const world = new MembersWorld()
    assert.equal(world.add(5n, ['http://h:3', 'http://i:3']), 'ok')
    assert.equal(world.publish({ memberId: 5n, name: 'three', clientUrls: ['http://h:13'] }), 'ok')
    assert.equal(world.update(5n, ['http://h:4']), 'ok')
    assert.equal(world.remove(3n), 'ok')
    assert.deepEqual(world.list(), ['5 three http://h:4 http://h:13', '7 two http://h:2 '])
    assert.equal(world.changes, 4)
    assert.deepEqual(
      [3n, 5n, 9n].map((id) => world.machine.isRemoved(id)),
      [true, false, false],
    )
  })

  it('that are learners are promoted once, and there is one at a time', () => {
    const world = new MembersWorld()
    assert.equal(world.add(5n, ['http://h:3'], true), 'ok')
    assert.equal(world.add(6n, ['http://h:4'], true), 'TOO_MANY_LEARNERS')
    assert.equal(world.add(8n, ['http://h:4'], false), 'ok')
    assert.deepEqual(world.list()[1], '5  http://h:3  learner')
    assert.equal(world.promote(5n), 'ok')
    assert.deepEqual(world.list()[1], '5  http://h:3 ')
    assert.equal(world.promote(5n), 'MEMBER_NOT_LEARNER')
    assert.equal(world.add(6n, ['http://h:5'], true), 'ok')
    assert.equal(world.remove(6n), 'ok')
    assert.equal(world.add(9n, ['http://h:5'], true), 'ok')
  })

  it('are refused, and unchanged, when a change does not fit', () => {
    const world = new MembersWorld()
    assert.equal(world.remove(3n), 'ok')
    const before = world.list()
    const { changes } = world
    assert.equal(world.add(3n, ['http://h:9']), 'MEMBER_NOT_FOUND', 'a removed id never comes back')
    assert.equal(world.add(7n, ['http://h:9']), 'MEMBER_EXISTS')
    assert.equal(world.add(9n, ['http://h:9', 'http://h:2']), 'PEER_URL_EXISTS')
    assert.equal(world.add(0n, ['http://h:9']), 'MALFORMED_REQUEST')
    assert.equal(world.add(9n, []), 'MALFORMED_REQUEST')
    assert.equal(world.add(9n, ['x'.repeat(2049)]), 'MALFORMED_REQUEST')
    assert.equal(
      world.add(
        9n,
        Array.from({ length: 65 }, (_, i) => `http://h:${i + 10}`),
      ),
      'MALFORMED_REQUEST',
    )
    assert.equal(world.update(3n, ['http://h:9']), 'MEMBER_NOT_FOUND')
    assert.equal(world.update(7n, []), 'MALFORMED_REQUEST')
    assert.equal(world.remove(3n), 'MEMBER_NOT_FOUND')
    assert.equal(world.remove(9n), 'MEMBER_NOT_FOUND')
    assert.equal(world.promote(9n), 'MEMBER_NOT_FOUND')
    assert.equal(world.promote(7n), 'MEMBER_NOT_LEARNER')
    assert.equal(world.publish({ memberId: 3n, name: 'one', clientUrls: [] }), 'MEMBER_NOT_FOUND')
    assert.equal(world.apply('memberAdd', Uint8Array.of(8)), 'MALFORMED_REQUEST')
    assert.deepEqual(world.list(), before)
    assert.equal(world.changes, changes)
  })

  it('keep a URL that they have, and free those of a removed one', () => {
    const world = new MembersWorld()
    assert.equal(world.update(3n, ['http://h:1', 'http://h:9']), 'ok')
    assert.equal(world.update(3n, ['http://h:2']), 'PEER_URL_EXISTS')
    assert.equal(world.remove(7n), 'ok')
    assert.equal(world.add(8n, ['http://h:2']), 'ok')
  })

  it('keep a voter: the last one is not removed, whatever learners there are', () => {
    const world = new MembersWorld()
    assert.equal(world.add(5n, ['http://h:3'], true), 'ok')
    assert.equal(world.remove(3n), 'ok')
    assert.equal(world.remove(7n), 'NOT_ENOUGH_STARTED')
    assert.equal(world.promote(5n), 'ok')
    assert.equal(world.remove(7n), 'ok')
    assert.deepEqual(world.list(), ['5  http://h:3 '])
  })

  it('are replaced as a whole for a new cluster; who is not kept counts as removed', () => {
    const world = new MembersWorld()
    world.remove(3n)
    world.add(5n, ['http://h:3'])
    world.machine.replaceMembers([{ ...founders[0]!, peerUrls: ['http://h:22'] }])
    assert.deepEqual(world.list(), ['7 two http://h:22 '])
    assert.deepEqual(
      [3n, 5n, 7n].map((id) => world.machine.isRemoved(id)),
      [true, true, false],
    )
  })
})

describe('members in an image', () => {
  it('come back with their removed ids', () => {
    const world = new MembersWorld()
    world.remove(3n)
    world.add(2n ** 64n - 1n, ['http://h:3'], true)
    const copy = new MembersWorld()
    copy.restore(world.image())
    assert.deepEqual(copy.list(), world.list())
    assert.ok(copy.machine.isRemoved(3n))
    assert.equal(copy.add(3n, ['http://h:9']), 'MEMBER_NOT_FOUND')
  })

  it('of version 1 are the founders, with what each published', () => {
    // Written by the version before members could change: member 7 published, then `a` was put.
    const image = Buffer.from(
      '53594e4f444b560101100000000200000000000000020000000000000004040000000000000005180000000a16080712036f6e651a0d' +
        '687474703a2f2f683a32333739022500000053594e4f444d56430100000010000000bb12fd6401020000000000000000000000000000' +
        '0002170000000e000000e3cb0058020c0a01611002180220012a01310002190000001000000041cf53bc030100000000000000010000' +
        '0000000000030500000001000000000000000000',
      'hex',
    )
    const world = new MembersWorld()
    world.remove(3n)
    world.restore(image)
    assert.deepEqual(world.list(), ['3 one http://h:1 ', '7 one http://h:2 http://h:2379'])
    assert.equal(world.machine.store.revision, 2)
    assert.equal(world.machine.isRemoved(3n), false)
    const mixed = Buffer.from(image)
    mixed[7] = 2
    assert.throws(() => world.restore(mixed), RestoreError, 'section 5 has no place in version 2')
  })
})
