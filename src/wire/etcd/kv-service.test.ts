import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesTag, emptyBytes, ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { noMember } from '../../core/index.ts'
import { kvRoutes } from './kv-service.ts'
import type { CallAnswer } from './testing/fake-call.ts'
import { OneNode } from './testing/one-node.ts'

/** Answers as etcd itself encodes them, by name, in hexadecimal. */
const golden = new Map<string, string | undefined>()
for (const line of readFileSync(new URL('./testdata/kv-responses.txt', import.meta.url), 'utf8').split('\n')) {
  const [name = '', bytes] = line.split(' ')
  golden.set(name, bytes)
}

type Method = 'Range' | 'Put' | 'DeleteRange' | 'Txn' | 'Compact'
type Build = (writer: ProtobufWriter) => ProtobufWriter

/** The node of the golden answers: their cluster, member and term. */
class KvNode {
  readonly node = new OneNode(0xf123456789abcdefn, 7n, 3)
  private readonly routes = kvRoutes(this.node.engine)

  send(method: Method, message: Uint8Array, metadata?: Record<string, string>): CallAnswer {
    return this.node.call(this.routes, `/etcdserverpb.KV/${method}`, message, metadata)
  }

  request(method: Method, build: Build): CallAnswer {
    return this.send(method, build(new ProtobufWriter()).finish())
  }

  expect(method: Method, build: Build, name: string): void {
    const answer = this.request(method, build)
    assert.equal(answer.failure, undefined)
    assert.equal(answer.message, golden.get(name), name)
  }

  refusal(method: Method, build: Build): string {
    const { failure } = this.request(method, build)
    return `${failure?.status} ${failure?.message}`
  }
}

const put =
  (key: string, value: string, lease = 0n): Build =>
  (writer) =>
    writer.text(1, key).text(2, value).int64(3, lease)
const range =
  (key: string, end = ''): Build =>
  (writer) =>
    writer.text(1, key).text(2, end)
/** A RequestOp in a branch (2 success, 3 failure): `field` is 1 range, 2 put, 3 delete, 4 transaction. */
const operation = (writer: ProtobufWriter, branch: number, field: number, build: Build): ProtobufWriter =>
  writer.message(branch, (op) => op.message(field, build))

describe('answers', () => {
  it('are byte for byte those that etcd encodes', () => {
    const kv = new KvNode()
    const { node } = kv
    node.machine.leases.grant(5n, 60)
    kv.expect('Put', put('x', 'one'), 'put-response')
    kv.request('Put', put('y', 'two', 5n))
    kv.expect('Put', (writer) => put('x', 'three')(writer).bool(4, true), 'put-response-previous')
    const all = range('x', 'z')
    kv.expect('Range', all, 'range-response')
    const lastKey: Build = (writer) => all(writer).int(3, 1).int(5, 2).bool(8, true)
    kv.expect('Range', lastKey, 'range-response-keys-only')
    kv.expect('Range', (writer) => all(writer).bool(9, true), 'range-response-count-only')
    kv.expect('Range', range('a'), 'range-response-empty')
    const nested: Build = (writer) => {
      writer.message(1, (compare) => compare.text(3, 'x').int(4, 9))
      return operation(writer, 3, 3, (deletion) => range('x')(deletion).bool(3, true))
    }
    const txn: Build = (writer) => {
      operation(writer, 2, 2, (op) => put('y', 'four')(op).bool(4, true))
      operation(writer, 2, 1, range('x'))
      return operation(writer, 2, 4, nested)
    }
    kv.expect('Txn', txn, 'txn-response')
    const deletion: Build = (writer) => range('a', '\0')(writer).bool(3, true)
    kv.expect('DeleteRange', deletion, 'delete-range-response')
    kv.expect('DeleteRange', deletion, 'delete-range-response-none')
    kv.expect('Compact', (writer) => writer.int(1, 2), 'compaction-response')
  })

  it('to a long range are whole, in order and counted', () => {
    const kv = new KvNode()
    const count = 2500
    const key = (i: number): string => `k${String(i).padStart(6, '0')}`
    for (let i = 0; i < count; i++) kv.request('Put', put(key(i), 'v'.repeat(200)))
    const answer = kv.request('Range', range('k', 'l'))
    const reader = new ProtobufReader(Buffer.from(answer.message ?? '', 'hex'))
    let seen = 0
    let counted = 0
    while (reader.next()) {
      if (reader.tag === varintTag(4)) counted = reader.number()
      else if (reader.tag === bytesTag(2)) {
        const outerEnd = reader.enter()
        reader.next()
        reader.bytes()
        assert.equal(reader.binaryString(), key(seen++))
        reader.leave(outerEnd)
      } else reader.skip()
    }
    assert.deepEqual([reader.malformed, seen, counted], [false, count, count])
    assert.equal(kv.node.machine.pins, 0)
  })
})

describe('refusals', () => {
  it('carry the status and text of etcd', () => {
    const kv = new KvNode()
    assert.equal(kv.refusal('Put', put('', '')), '3 etcdserver: key is not provided')
    assert.equal(kv.refusal('Put', put('a', '', 9n)), '5 etcdserver: requested lease not found')
    const future: Build = (writer) => range('a')(writer).int(4, 99)
    assert.equal(kv.refusal('Range', future), '11 etcdserver: mvcc: required revision is a future revision')
    const twice: Build = (writer) => operation(operation(writer, 2, 2, put('a', '')), 2, 2, put('a', ''))
    assert.equal(kv.refusal('Txn', twice), '3 etcdserver: duplicate key given in txn request')
    const cut = kv.send('Put', Uint8Array.of(0x0a, 0x09))
    assert.deepEqual(cut.failure, { status: 13, message: 'grpc: error unmarshalling request' })
  })

  it('tell clients that require a leader when there is none', () => {
    const kv = new KvNode()
    kv.node.changeStatus({ leader: noMember, role: 'follower' })
    const answer = kv.send('Range', emptyBytes, { hasleader: 'true' })
    assert.deepEqual(answer.failure, { status: 14, message: 'etcdserver: no leader' })
  })
})

describe('hostile requests', () => {
  it('get one answer each, whatever their bytes', () => {
    const kv = new KvNode()
    const anyMethod = fc.constantFrom<Method>('Range', 'Put', 'DeleteRange', 'Txn', 'Compact')
    fc.assert(
      fc.property(anyMethod, fc.uint8Array({ maxLength: 48 }), (method, message) => {
        kv.send(method, message)
      }),
      { numRuns: 2000 },
    )
  })
})
