import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProtobufReader, type ProtobufWriter } from '../../../base/index.ts'
import { decodeLeaseRevokeRequest } from '../../../engine/coordination/index.ts'
import type { StreamCall } from '../../../wire/grpc/index.ts'
import type { ChangeEvent } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { ScriptedCluster, type ScriptedServer } from './testing/scripted-cluster.ts'

/** What a watch was told, a line each. */
class Told {
  readonly lines: string[] = []
  error: SynodError | undefined

  onEvents(events: readonly ChangeEvent[], revision: number): void {
    this.lines.push(`${events.map((event) => `${event.type}@${event.revision}`).join(' ')} up to ${revision}`)
  }

  onCompacted(compactRevision: number): void {
    this.lines.push(`compacted ${compactRevision}`)
  }

  onEnd(error: SynodError): void {
    this.error = error
    this.lines.push(`end ${error.code}`)
  }
}

/** One server whose side of the watch stream is the test's. */
async function watchCluster(seed: string) {
  const calls: StreamCall[] = []
  const requests: number[] = []
  const cluster = await ScriptedCluster.open(seed, 1, { watchProgressMs: 60_000 }, ([server]) => {
    server!.streams.set('Watch', (call) => {
      calls.push(call)
      call.onMessage((message) => {
        requests.push(message[0]! >> 3)
      })
    })
  })
  const server = cluster.server(0)
  const say = async (revision: number, body: (writer: ProtobufWriter) => void): Promise<void> => {
    calls.at(-1)!.send(server.answer(body, revision))
    await cluster.advance(50)
  }
  return { cluster, server, calls, requests, say }
}

function put(writer: ProtobufWriter, ...revisions: number[]): void {
  for (const revision of revisions)
    writer.message(11, (event) => event.message(2, (kv) => kv.text(1, 'k').int(2, 1).int(3, revision).int(4, 1)))
}

function deletion(writer: ProtobufWriter, revision: number): void {
  writer.message(11, (event) => event.int(1, 1).message(2, (kv) => kv.text(1, 'k').int(3, revision)))
}

describe('a watch', () => {
  it('is told whole revisions, also when an answer comes in pieces', async () => {
    const { cluster, say } = await watchCluster('fragments')
    const told = new Told()
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, told)
    await cluster.advance(50)
    await say(5, (writer) => writer.int(2, 1).bool(3, true))
    await say(9, (writer) => put(writer.int(2, 1).bool(7, true), 6, 7))
    assert.deepEqual(told.lines, ['put@6 up to 6'])
    await say(9, (writer) => put(writer.int(2, 1).bool(7, true), 7, 7))
    assert.deepEqual(told.lines.slice(1), [])
    await say(9, (writer) => deletion(writer.int(2, 1), 8))
    assert.deepEqual(told.lines.slice(1), ['put@7 put@7 put@7 delete@8 up to 8'])
  })

  it('is told how far it has come when nothing happens, by its own id or for all; never back', async () => {
    const { cluster, say } = await watchCluster('progress')
    const [first, second] = [new Told(), new Told()]
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, first)
    cluster.driver.watch!({ start: 'l', end: undefined }, 100, second)
    await cluster.advance(50)
    await say(5, (writer) => writer.int(2, 1).bool(3, true))
    await say(7, (writer) => writer.presentInt(2, -1))
    await say(7, (writer) => writer.int(2, 1))
    await say(8, (writer) => writer.int(2, 1))
    assert.deepEqual(first.lines, [' up to 7', ' up to 8'])
    await say(9, (writer) => writer.int(2, 2).bool(3, true))
    await say(50, (writer) => writer.presentInt(2, -1))
    assert.deepEqual(second.lines, [], 'what lies before its beginning is nothing to it')
  })

  it('that could not be made is the oldest that waits', async () => {
    const { cluster, say } = await watchCluster('refused')
    const [first, second] = [new Told(), new Told()]
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, first)
    cluster.driver.watch!({ start: 'l', end: undefined }, 6, second)
    await cluster.advance(50)
    await say(5, (writer) => {
      writer.presentInt(2, -1).bool(3, true).bool(4, true)
      writer.text(6, 'rpc error: code = PermissionDenied desc = etcdserver: permission denied')
    })
    await say(5, (writer) => writer.int(2, 2).bool(3, true))
    assert.deepEqual([first.lines, second.lines], [['end PERMISSION_DENIED'], []])
  })

  it('of revisions that are gone says which are left', async () => {
    const { cluster, say } = await watchCluster('compacted')
    const told = new Told()
    cluster.driver.watch!({ start: 'k', end: undefined }, 2, told)
    await cluster.advance(50)
    await say(0, (writer) => writer.int(2, 1).bool(3, true))
    await say(0, (writer) => writer.int(2, 1).bool(4, true).int(5, 4))
    assert.deepEqual(told.lines, ['compacted 4'])
  })

  it('is over when the server tells a revision twice, or goes back', async () => {
    for (const wrong of [6, 7]) {
      const { cluster, say } = await watchCluster(`order-${wrong}`)
      const told = new Told()
      cluster.driver.watch!({ start: 'k', end: undefined }, 6, told)
      await cluster.advance(50)
      await say(5, (writer) => writer.int(2, 1).bool(3, true))
      await say(9, (writer) => put(writer.int(2, 1), 7))
      await say(9, (writer) => put(writer.int(2, 1), wrong))
      assert.deepEqual(told.lines, ['put@7 up to 7', 'end PROTOCOL_ERROR'])
    }
  })

  it('that was cancelled hears nothing of what was under way, and the others go on', async () => {
    const { cluster, say, requests } = await watchCluster('cancel')
    const [gone, stays] = [new Told(), new Told()]
    const subscription = cluster.driver.watch!({ start: 'k', end: undefined }, 6, gone)
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, stays)
    await cluster.advance(50)
    subscription.cancel()
    await say(5, (writer) => writer.int(2, 1).bool(3, true))
    await say(5, (writer) => writer.int(2, 2).bool(3, true))
    await say(7, (writer) => put(writer.int(2, 1), 7))
    await say(7, (writer) => put(writer.int(2, 2), 7))
    assert.deepEqual([gone.lines, stays.lines], [[], ['put@7 up to 7']])
    assert.deepEqual(requests, [1, 1, 2], 'create, create, cancel')
  })

  it('ends with the stream, and can be begun again on another', async () => {
    const { cluster, say, calls } = await watchCluster('stream')
    const told = new Told()
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, told)
    await cluster.advance(50)
    await say(5, (writer) => writer.int(2, 1).bool(3, true))
    calls[0]!.fail(14, 'etcdserver: no leader')
    await cluster.advance(50)
    assert.deepEqual(told.lines, ['end UNAVAILABLE'])
    assert.deepEqual([told.error?.retryable, told.error?.outcome], [true, 'not-applied'])
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, told)
    await cluster.advance(3000)
    assert.equal(calls.length, 2)
  })

  it('asks where it stands now and then', async () => {
    const { cluster, say, requests } = await watchCluster('asks')
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, new Told())
    await cluster.advance(50)
    await say(5, (writer) => writer.int(2, 1).bool(3, true))
    await cluster.advance(125_000)
    assert.deepEqual(requests, [1, 3, 3])
  })

  it('of which nothing is heard after it was asked for is over in time', async () => {
    const { cluster } = await watchCluster('silent')
    const told = new Told()
    cluster.driver.watch!({ start: 'k', end: undefined }, 6, told)
    await cluster.advance(4900)
    assert.deepEqual(told.lines, [])
    await cluster.advance(200)
    assert.deepEqual(told.lines, ['end UNAVAILABLE'])
  })

  it('ends, and no more, whatever bytes come', async () => {
    for (const [i, bytes] of [
      [0xff],
      [0x5a, 0x00],
      [0x5a, 0x02, 0x12, 0x00],
      [0x10, 0x01, 0x18, 0x01, 0x0a],
    ].entries()) {
      const { cluster, calls } = await watchCluster(`bytes-${i}`)
      const told = new Told()
      cluster.driver.watch!({ start: 'k', end: undefined }, 6, told)
      await cluster.advance(50)
      calls[0]!.send(Uint8Array.from(bytes))
      await cluster.advance(50)
      assert.deepEqual(told.lines, ['end PROTOCOL_ERROR'])
    }
  })
})

/** Answers keep-alives `delayMs` after they came, with `ttlSeconds`. */
function keepAlive(server: ScriptedServer, cluster: () => ScriptedCluster, delayMs: number, ttlSeconds: number): void {
  server.streams.set('LeaseKeepAlive', (call) => {
    call.onMessage((message) => {
      const leaseId = decodeLeaseRevokeRequest(new ProtobufReader(Uint8Array.from(message)))
      server.calls.push('renewal')
      const { scheduler } = cluster().simulation.node(server.name).runtime
      scheduler.setTimer(delayMs, () =>
        call.send(server.answer((writer) => writer.int64(2, leaseId).int(3, ttlSeconds))),
      )
    })
  })
}

describe('renewals', () => {
  it('count from when they were sent, however late the answer', async () => {
    const cluster: ScriptedCluster = await ScriptedCluster.open('sent', 1, {}, ([server]) => {
      keepAlive(server!, () => cluster, 300, 9)
    })
    const { clock } = cluster.driver.outside
    const startedMs = clock.monotonicMs()
    const answer = await cluster.run(cluster.driver.renewLease(7n))
    assert.deepEqual([answer.leaseId, answer.ttlMs], [7n, 9000])
    assert.ok(answer.sentAtMs - startedMs < 1, 'sent at once')
    assert.ok(clock.monotonicMs() - answer.sentAtMs >= 300, 'answered late')
  })

  it('of one turn and one lease travel as one, on one stream', async () => {
    const cluster: ScriptedCluster = await ScriptedCluster.open('one', 1, {}, ([server]) => {
      keepAlive(server!, () => cluster, 1, 9)
    })
    const { driver } = cluster
    const renewals = [driver.renewLease(7n), driver.renewLease(7n), driver.renewLease(8n)]
    const answers = await cluster.run(Promise.all(renewals))
    assert.deepEqual(
      answers.map(({ leaseId }) => leaseId),
      [7n, 7n, 8n],
    )
    await cluster.run(driver.renewLease(7n))
    assert.deepEqual([cluster.server(0).count('renewal'), cluster.server(0).count('LeaseKeepAlive')], [3, 1])
  })

  it('that a node leaves unanswered are given to another', async () => {
    const cluster: ScriptedCluster = await ScriptedCluster.open('silent-node', 3, {}, (servers) => {
      for (const server of servers.slice(1)) keepAlive(server, () => cluster, 1, 9)
    })
    const startedMs = cluster.driver.outside.clock.monotonicMs()
    const { result, tookMs } = await cluster.settle(cluster.driver.renewLease(7n))
    assert.equal(result.status, 'fulfilled')
    assert.ok(tookMs < 700, `${tookMs} ms`)
    assert.ok(result.value.sentAtMs >= startedMs + 400, 'it counts from the attempt that was answered')
  })

  it('of a lease that is gone: LEASE_NOT_FOUND', async () => {
    const cluster: ScriptedCluster = await ScriptedCluster.open('gone', 1, {}, ([server]) => {
      keepAlive(server!, () => cluster, 1, 0)
    })
    await assert.rejects(
      cluster.run(cluster.driver.renewLease(7n)),
      (error) => error instanceof SynodError && error.code === 'LEASE_NOT_FOUND',
    )
  })
})
