import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufWriter } from '../../base/index.ts'
import { putRequest } from '../../engine/coordination/testing/encode-requests.ts'
import type { FakeStream } from './testing/fake-stream.ts'
import { messageText, watchResponseShape } from './testing/message-text.ts'
import { ServicesWorld } from './testing/services-world.ts'

interface Create {
  readonly key?: string
  readonly end?: string
  readonly start?: number
  readonly id?: bigint
  readonly previous?: boolean
  readonly fragment?: boolean
  readonly progressNotify?: boolean
}

class WatchWorld extends ServicesWorld {
  put(key: string, value: string): void {
    this.run(putRequest(key, value))
  }

  delete(key: string, end?: string): void {
    this.run({ type: 'deleteRange', key, end, previous: false })
  }

  compact(revision: number): void {
    const bytes = new ProtobufWriter().int(1, revision).finish()
    this.call((done) => this.engine.compact({ revision, physical: false }, bytes, done))
  }

  open(metadata: Readonly<Record<string, string>> = {}): FakeStream {
    return this.stream('/etcdserverpb.Watch/Watch', metadata)
  }

  read(stream: FakeStream): string[] {
    this.loop.advance(20)
    return stream.take().map((message) => messageText(message, watchResponseShape))
  }
}

function create(stream: FakeStream, request: Create): void {
  const message = new ProtobufWriter().message(1, (inner) => {
    inner
      .text(1, request.key ?? '')
      .text(2, request.end ?? '')
      .int(3, request.start ?? 0)
    inner.bool(4, request.progressNotify ?? false).bool(6, request.previous ?? false)
    inner.int64(7, request.id ?? 0n).bool(8, request.fragment ?? false)
  })
  stream.write(Uint8Array.from(message.finish()))
}

function cancel(stream: FakeStream, id: bigint): void {
  stream.write(Uint8Array.from(new ProtobufWriter().message(2, (inner) => inner.int64(1, id)).finish()))
}

function requestProgress(stream: FakeStream): void {
  stream.write(new ProtobufWriter().message(3, () => {}).finish())
}

test('created, events with their previous versions, canceled', () => {
  const world = new WatchWorld()
  const stream = world.open()
  world.put('k', '1')
  create(stream, { key: 'k', previous: true })
  assert.deepEqual(world.read(stream), ['header=(revision=2) created=1'])
  world.put('k', '2')
  world.put('other', '2')
  world.delete('k')
  assert.deepEqual(world.read(stream), [
    'header=(revision=3) event=(kv=(key=k mod=3 version=2 value=2) prev=(key=k mod=2 version=1 value=1))',
    'header=(revision=5) event=(type=1 kv=(key=k mod=5) prev=(key=k mod=3 version=2 value=2))',
  ])
  cancel(stream, 0n)
  cancel(stream, 0n)
  world.put('k', '3')
  assert.deepEqual(world.read(stream), ['header=(revision=5) canceled=1'])
})

test('what is wrong with a creation is told in its answer, and the stream lives on', () => {
  const world = new WatchWorld()
  const stream = world.open()
  create(stream, { key: 'k', id: 5n })
  create(stream, { key: 'k', id: 5n })
  create(stream, { key: 'k', end: 'a' })
  create(stream, { key: 'k', start: -1 })
  stream.write(new Uint8Array(0))
  assert.deepEqual(world.read(stream), [
    'header=(revision=1) id=5 created=1',
    'header=(revision=1) id=-1 created=1 canceled=1 reason=mvcc: duplicate watch ID provided on the WatchStream',
    'header=(revision=1) id=-1 created=1 canceled=1 reason=mvcc: watcher range is empty',
    'header=(revision=1) id=-1 created=1 canceled=1 reason=etcdserver: mvcc: required revision has been compacted',
  ])
  assert.equal(stream.status, undefined)
})

test('no key means the smallest, and an end of \\0 everything after the key', () => {
  const world = new WatchWorld()
  const stream = world.open()
  create(stream, { end: '\0' })
  world.put('anything', '1')
  const [, event = ''] = world.read(stream)
  assert.match(event, /key=anything/)
})

test('a start that was compacted away: created, then canceled with the revision to start from', () => {
  const world = new WatchWorld()
  for (const value of ['1', '2', '3', '4']) world.put('k', value)
  world.compact(4)
  const stream = world.open()
  create(stream, { key: 'k', start: 2 })
  assert.deepEqual(world.read(stream), ['header=(revision=5) created=1', 'header=() canceled=1 compacted=4'])
})

test('progress on request speaks for the whole stream', () => {
  const world = new WatchWorld()
  const stream = world.open()
  create(stream, { key: 'a' })
  world.put('b', '1')
  requestProgress(stream)
  assert.deepEqual(world.read(stream), ['header=(revision=1) created=1', 'header=(revision=2) id=-1'])
})

test('large deliveries are split for those who allow it', () => {
  const world = new WatchWorld()
  const value = 'x'.repeat(1_000_000)
  for (const key of ['a', 'b', 'c']) world.put(key, value)
  const stream = world.open()
  create(stream, { key: 'a', end: 'z', previous: true, fragment: true })
  create(stream, { key: 'a', end: 'z', previous: true })
  world.read(stream)
  world.delete('a', 'z')
  const lines = world.read(stream).map((line) => line.replaceAll(value, '…'))
  const event = (key: string, mod: number): string =>
    `event=(type=1 kv=(key=${key} mod=5) prev=(key=${key} mod=${mod} version=1 value=…))`
  assert.deepEqual(
    lines.sort(),
    [
      `header=(revision=5) fragment=1 ${event('a', 2)} ${event('b', 3)}`,
      `header=(revision=5) id=1 ${event('a', 2)} ${event('b', 3)} ${event('c', 4)}`,
      `header=(revision=5) ${event('c', 4)}`,
    ].sort(),
  )
})

test('several watchers of a large event share its bytes', () => {
  const world = new WatchWorld()
  const stream = world.open()
  for (let i = 0; i < 3; i++) create(stream, { key: 'a' })
  create(stream, { key: 'a', previous: true })
  world.read(stream)
  world.put('a', 'x'.repeat(5000))
  world.put('a', 'y'.repeat(5000))
  const lines = world.read(stream)
  assert.equal(lines.length, 8)
  assert.equal(lines.filter((line) => line.includes('prev=')).length, 1)
  assert.ok(lines.every((line) => line.includes('x'.repeat(5000)) || line.includes('y'.repeat(5000))))
})

test('a client that does not read: nothing is queued for it, and it is not read from', () => {
  const world = new WatchWorld()
  const stream = world.open()
  create(stream, { key: 'k' })
  world.read(stream)
  stream.keepsUp = false
  world.put('k', '1')
  assert.equal(world.read(stream).length, 1)
  for (let i = 0; i < 100; i++) world.put('k', String(i))
  assert.equal(world.read(stream).length, 0)
  for (let i = 0; i < 100; i++) create(stream, { key: 'k' })
  assert.equal(stream.take().length, 1)
  assert.equal(stream.paused, true)
  stream.drain()
  const lines = world.read(stream)
  assert.equal(lines.filter((line) => line.includes('created')).length, 99)
  assert.equal(
    lines
      .filter((line) => line.includes('event'))
      .join(' ')
      .match(/event=/g)?.length,
    100,
  )
})

test('a client that asks for a leader: refused without one, ended when it is gone for three election time-outs', () => {
  const world = new WatchWorld()
  const patient = world.open()
  const stream = world.open({ hasleader: 'true' })
  create(stream, { key: 'k' })
  world.loop.advance(2000)
  world.group.changeStatus({ role: 'follower', leader: 0n })
  const late = world.open({ hasleader: 'true' })
  assert.deepEqual(late.status, { status: 14, message: 'etcdserver: no leader' })
  world.loop.advance(2500)
  assert.equal(stream.status, undefined)
  world.loop.advance(1000)
  assert.deepEqual(stream.status, { status: 14, message: 'etcdserver: no leader' })
  assert.equal(patient.status, undefined)
  assert.deepEqual(world.hub.stats.watchers, 0)
})

test('the end of a call ends its watchers; a half-close does not', () => {
  const world = new WatchWorld()
  const stream = world.open()
  create(stream, { key: 'k' })
  stream.halfClose()
  world.put('k', '1')
  assert.equal(world.read(stream).length, 2)
  stream.cancel()
  assert.deepEqual(world.hub.stats, { streams: 0, watchers: 0, slowWatchers: 0, eventsTotal: 1 })
  const broken = world.open()
  broken.write(Uint8Array.of(10, 5))
  assert.equal(broken.status?.status, 13)
  assert.equal(world.hub.stats.streams, 0)
})
