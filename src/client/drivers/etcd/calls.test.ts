import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProtobufReader } from '../../../base/index.ts'
import { decodeLeaseGrantRequest } from '../../../engine/coordination/index.ts'
import { SynodError } from '../../errors.ts'
import { clientWorld } from '../../testing/index.ts'
import { ScriptedCluster } from './testing/scripted-cluster.ts'

const write = { compares: [], success: [{ type: 'put', key: 'k', value: Buffer.from('v') }] } as const

function failure(result: PromiseSettledResult<unknown>): SynodError {
  assert.equal(result.status, 'rejected')
  assert.ok(result.reason instanceof SynodError, String(result.reason))
  return result.reason
}

describe('refusals', () => {
  // Status, text, code, outcome of a write, attempts that a write and a read get from three servers that say it once each.
  const cases = [
    [14, 'etcdserver: leader changed', 'UNAVAILABLE', 'unknown', 1],
    [14, 'etcdserver: request timed out', 'TIMEOUT', 'unknown', 1],
    [14, 'etcdserver: server stopped', 'UNAVAILABLE', 'unknown', 1],
    [14, 'something on the way broke', 'UNAVAILABLE', 'unknown', 1],
    [2, 'a bug', 'ENGINE_FAILED', 'unknown', 1],
    [15, 'etcdserver: corrupt cluster', 'CORRUPT', 'unknown', 1],
    [8, 'etcdserver: mvcc: database space exceeded', 'NO_SPACE', 'not-applied', 1],
    [3, 'etcdserver: request is too large', 'TOO_LARGE', 'not-applied', 1],
    [8, 'grpc: received message larger than max (3 vs. 2)', 'TOO_LARGE', 'not-applied', 1],
    [5, 'etcdserver: requested lease not found', 'LEASE_NOT_FOUND', 'not-applied', 1],
    [11, 'etcdserver: mvcc: required revision has been compacted', 'COMPACTED', 'not-applied', 1],
    [11, 'etcdserver: mvcc: required revision is a future revision', 'FUTURE_REVISION', 'not-applied', 1],
    [7, 'etcdserver: permission denied', 'PERMISSION_DENIED', 'not-applied', 1],
    [16, 'etcdserver: invalid auth token', 'UNAUTHENTICATED', 'not-applied', 1],
    [3, 'etcdserver: user name is empty', 'UNAUTHENTICATED', 'not-applied', 1],
    [12, 'unknown service', 'NOT_SUPPORTED', 'not-applied', 1],
  ] as const

  for (const [status, text, code, outcome, attempts] of cases) {
    it(`"${text}" to a write: ${code}, ${outcome}`, async () => {
      const cluster = await ScriptedCluster.open('refusals', 3)
      for (const server of cluster.servers) server.scripts.set('Put', (call) => call.fail(status, text))
      const { result } = await cluster.settle(cluster.driver.transact(write))
      const error = failure(result)
      assert.deepEqual([error.code, error.outcome], [code, outcome])
      assert.equal(
        cluster.servers.reduce((sum, server) => sum + server.count('Put'), 0),
        attempts,
      )
    })
  }

  for (const [status, text] of [
    [8, 'etcdserver: too many requests'],
    [14, 'etcdserver: no leader'],
    [14, 'etcdserver: rpc not supported for learner'],
    [14, 'etcdserver: unhealthy cluster'],
    [2, 'raft proposal dropped'],
  ] as const) {
    it(`"${text}" to a write: another node is asked, nothing was done`, async () => {
      const cluster = await ScriptedCluster.open('elsewhere', 3)
      cluster.server(0).scripts.set('Put', (call) => call.fail(status, text))
      const { result } = await cluster.settle(cluster.driver.transact(write))
      assert.equal(result.status, 'fulfilled')
      assert.equal(cluster.server(0).count('Put'), 1)
      assert.equal(cluster.server(1).count('Put') + cluster.server(2).count('Put'), 1)
    })
  }

  it('a read is asked of others whatever the first one said of the fate, and fails with what cannot change', async () => {
    const cluster = await ScriptedCluster.open('reads', 3)
    cluster.server(0).scripts.set('Range', (call) => call.fail(14, 'etcdserver: leader changed'))
    const { result } = await cluster.settle(cluster.driver.get('k'))
    assert.equal(result.status, 'fulfilled')
    for (const server of cluster.servers)
      server.scripts.set('Range', (call) => call.fail(11, 'etcdserver: mvcc: required revision has been compacted'))
    const compacted = await cluster.settle(cluster.driver.get('k', { revision: 1 }))
    assert.equal(failure(compacted.result).code, 'COMPACTED')
  })

  it('what never stops is told at the deadline, with what was said last', async () => {
    const cluster = await ScriptedCluster.open('never', 2, { requestTimeoutMs: 3000 })
    for (const server of cluster.servers)
      server.scripts.set('Range', (call) => call.fail(14, 'etcdserver: leader changed'))
    const { result, tookMs } = await cluster.settle(cluster.driver.get('k'))
    const error = failure(result)
    assert.deepEqual([error.code, error.outcome], ['TIMEOUT', 'not-applied'])
    assert.match(error.message, /leader changed/)
    assert.ok(tookMs >= 3000 && tookMs < 3100, `${tookMs}`)
    const attempts = cluster.servers.reduce((sum, server) => sum + server.count('Range'), 0)
    assert.ok(attempts > 4 && attempts < 40, `${attempts} attempts, further and further apart`)
  })
})

describe('bytes that are no answer', () => {
  it('to a write: PROTOCOL_ERROR, and its fate is open', async () => {
    const cluster = await ScriptedCluster.open('garbage', 1)
    cluster.server(0).scripts.set('Put', (call) => call.reply(Uint8Array.of(0x0a, 0xff)))
    const { result } = await cluster.settle(cluster.driver.transact(write))
    const error = failure(result)
    assert.deepEqual([error.code, error.outcome], ['PROTOCOL_ERROR', 'unknown'])
  })

  it('to a transaction that asked for something else: PROTOCOL_ERROR', async () => {
    const cluster = await ScriptedCluster.open('other', 1)
    const { driver } = cluster
    cluster.server(0).scripts.set('Txn', (call) => {
      call.reply(cluster.server(0).answer((writer) => writer.bool(2, true).message(3, (op) => op.message(1, () => {}))))
    })
    const compares = [{ key: 'k', target: 'exists', value: true }] as const
    const { result } = await cluster.settle(driver.transact({ ...write, compares }))
    assert.equal(failure(result).code, 'PROTOCOL_ERROR')
  })
})

describe('nodes that do not answer', () => {
  it('a read is hedged: another node answers soon', async () => {
    const cluster = await ScriptedCluster.open('hedge', 3)
    cluster.server(0).scripts.set('Range', () => {})
    const { result, tookMs } = await cluster.settle(cluster.driver.get('k'))
    assert.equal(result.status, 'fulfilled')
    assert.ok(tookMs >= 50 && tookMs < 150, `${tookMs} ms`)
    assert.equal(cluster.server(0).count('Range'), 1)
  })

  it('without hedging a read waits for the node that it asked', async () => {
    const cluster = await ScriptedCluster.open('no-hedge', 3, { hedgeAfterMs: 'off', requestTimeoutMs: 1000 })
    cluster.server(0).scripts.set('Range', () => {})
    const { result } = await cluster.settle(cluster.driver.get('k'))
    assert.equal(failure(result).code, 'TIMEOUT')
  })

  it('a write is never given to a second node while its fate is open', async () => {
    const cluster = await ScriptedCluster.open('once', 3, { requestTimeoutMs: 2000 })
    for (const server of cluster.servers) server.scripts.set('Put', () => {})
    const { result } = await cluster.settle(cluster.driver.transact(write))
    const error = failure(result)
    assert.deepEqual([error.code, error.outcome], ['TIMEOUT', 'unknown'])
    assert.equal(
      cluster.servers.reduce((sum, server) => sum + server.count('Put'), 0),
      1,
    )
  })

  it('a node that stands still is avoided after a while, and used again once it goes on', async () => {
    const cluster = await ScriptedCluster.open('still', 3, { requestTimeoutMs: 2000 })
    cluster.simulation.node('s0').pause()
    const first = await cluster.settle(cluster.driver.transact(write))
    assert.equal(failure(first.result).outcome, 'unknown')
    const second = await cluster.settle(cluster.driver.transact(write))
    assert.equal(second.result.status, 'fulfilled')
    assert.ok(second.tookMs < 50, `${second.tookMs} ms`)
    cluster.simulation.node('s0').resume()
    await cluster.advance(3000)
    const before = cluster.server(0).count('Put')
    await cluster.run(cluster.driver.transact(write))
    assert.equal(cluster.server(0).count('Put'), before + 1)
  })
})

describe('the leader', () => {
  it('is asked for writes and linearizable reads; stale reads go round', async () => {
    const cluster = await ScriptedCluster.open('leader', 3)
    const { driver } = cluster
    for (let i = 0; i < 6; i++) await cluster.run(driver.transact(write))
    for (let i = 0; i < 6; i++) await cluster.run(driver.get('k'))
    assert.deepEqual(
      cluster.servers.map((server) => server.calls.length),
      [12, 0, 0],
    )
    for (let i = 0; i < 6; i++) await cluster.run(driver.get('k', { stale: true }))
    assert.deepEqual(
      cluster.servers.map((server) => server.calls.length),
      [14, 2, 2],
    )
  })

  it('is followed when a term rises in an answer', async () => {
    const cluster = await ScriptedCluster.open('follow', 3)
    for (const server of cluster.servers) {
      server.term = 2
      server.leaderId = 3n
    }
    await cluster.run(cluster.driver.transact(write))
    await cluster.advance(100)
    await cluster.run(cluster.driver.transact(write))
    assert.deepEqual(
      cluster.servers.map((server) => server.count('Put')),
      [1, 0, 1],
    )
  })

  it('that a node of an older term still names is not believed', async () => {
    const cluster = await ScriptedCluster.open('older', 3, {}, ([first, second, third]) => {
      for (const server of [second!, third!]) {
        server.term = 7
        server.leaderId = 2n
      }
      first!.leaderId = 1n
    })
    await cluster.run(cluster.driver.transact(write))
    assert.deepEqual(
      cluster.servers.map((server) => server.count('Put')),
      [0, 1, 0],
    )
  })
})

describe('a cluster without a leader', () => {
  it('answers stale reads; everything else waits for one, and is told that it was not sent', async () => {
    const world = await clientWorld({ seed: 'leaderless', nodes: 3, driver: { requestTimeoutMs: 2000 } })
    const { driver } = world.client(0)
    const { revision } = await world.run(driver.transact(write))
    await world.advance(500)
    world.crashNode(1)
    world.crashNode(2)
    // Until the one that is left has found that it leads nobody.
    await world.advance(10_000)
    const stale = await world.run(driver.get('k', { stale: true }))
    assert.equal(stale.entry?.modRevision, revision)
    const [written] = await world.run(Promise.allSettled([driver.transact(write)]))
    const error = failure(written!)
    assert.deepEqual([error.code, error.outcome], ['UNAVAILABLE', 'not-applied'])
    assert.match(error.message, /it knows no leader/)
    await world.startNode(1)
    await world.runUntil(() => world.leader() !== undefined, 'a leader')
    await world.run(driver.transact(write))
    await driver.close()
  })
})

describe('a node of another cluster', () => {
  it('is never asked for anything', async () => {
    const cluster = await ScriptedCluster.open('foreign', 2, {}, (servers) => {
      servers[1]!.clusterId = 2n
      servers[1]!.leaderId = 2n
      servers[1]!.term = 9
    })
    // Whichever greeted first is the one that counts.
    for (let i = 0; i < 10; i++) {
      await cluster.run(cluster.driver.transact(write))
      await cluster.run(cluster.driver.get('k', { stale: true }))
    }
    const asked = cluster.servers.map((server) => server.calls.length).sort((a, b) => a - b)
    assert.deepEqual(asked, [0, 20])
  })
})

describe('leases', () => {
  it('a grant that a node leaves unanswered is asked of another, once that node seems gone', async () => {
    const cluster = await ScriptedCluster.open('grant-silent', 2)
    cluster.server(1).scripts.set('LeaseGrant', (call) => {
      const leaseId = decodeLeaseGrantRequest(new ProtobufReader(call.message)).id
      call.reply(cluster.server(1).answer((writer) => writer.int64(2, leaseId).int(3, 2)))
    })
    cluster.simulation.node('s0').pause()
    const { result, tookMs } = await cluster.settle(cluster.driver.grantLease(2000))
    assert.equal(result.status, 'fulfilled')
    assert.ok(tookMs < 2000, `${tookMs} ms`)
  })

  it('a grant whose fate is open is asked for again under the same id; that it exists is then an answer', async () => {
    const cluster = await ScriptedCluster.open('grant', 2)
    cluster.server(0).scripts.set('LeaseGrant', (call) => call.fail(14, 'etcdserver: request timed out'))
    cluster.server(1).scripts.set('LeaseGrant', (call) => call.fail(9, 'etcdserver: lease already exists'))
    const startedMs = cluster.driver.outside.clock.monotonicMs()
    const lease = await cluster.run(cluster.driver.grantLease(1500))
    assert.equal(lease.ttlMs, 2000)
    assert.ok(lease.sentAtMs <= startedMs + 1, 'it counts from before the first attempt')
  })
})

describe('a transaction that no server would take', () => {
  it('is refused before anything is sent', async () => {
    const cluster = await ScriptedCluster.open('refused-here', 1)
    const twice = [write.success[0], { type: 'delete', key: 'k' }] as const
    const inRange = [write.success[0], { type: 'deleteRange', range: { start: 'a', end: '' } }] as const
    const many = Array.from({ length: 129 }, (_, i) => ({ ...write.success[0], key: `k${i}` }))
    for (const success of [twice, inRange, many]) {
      const { result } = await cluster.settle(cluster.driver.transact({ compares: [], success }))
      assert.deepEqual([failure(result).code, failure(result).outcome], ['INVALID_ARGUMENT', 'not-applied'])
    }
    assert.equal(cluster.server(0).calls.length, 0)
  })
})
