import assert from 'node:assert/strict'
import { test } from 'node:test'
import { putRequest } from '../../engine/coordination/testing/encode-requests.ts'
import type { GrpcServerCounters } from '../grpc/index.ts'
import type { Http1Request, Http1Response } from '../http1/index.ts'
import { httpPages } from './http-pages.ts'
import { diskSecondsBounds, Histogram, type NodeMetrics } from './metrics/index.ts'
import { ServicesWorld, testMembers } from './testing/services-world.ts'

class PagesWorld extends ServicesWorld {
  node: NodeMetrics = {}
  grpcCounters: GrpcServerCounters = {
    connectionsAccepted: 2,
    connectionsOpen: 1,
    streamsStarted: 3,
    streamsOpen: 0,
    bytesReceived: 10,
    bytesSent: 20,
    finished: [
      { path: '/etcdserverpb.KV/Put', status: 0, count: 5 },
      { path: '/etcdserverpb.Watch/Watch', status: 1, count: 1 },
      { path: '', status: 12, count: 4 },
    ],
  }
  private readonly pages = httpPages({
    engine: this.engine,
    watch: () => this.hub.stats,
    leases: () => this.lessor.stats,
    grpc: () => this.grpcCounters,
    node: () => this.node,
  })

  async get(target: string, method: Http1Request['method'] = 'GET'): Promise<Http1Response> {
    const { pathname: path, searchParams: query } = new URL(target, 'http://h')
    const handler = this.pages[path]
    assert.ok(handler !== undefined, path)
    const response = handler({ method, path, query, headers: new Map(), body: new Uint8Array(0) })
    // Promise reactions and turns of the fake loop take turns.
    for (let i = 0; i < 10; i++) {
      await Promise.resolve()
      this.loop.turn()
    }
    return response
  }

  async text(target: string): Promise<string> {
    const { status, body } = await this.get(target)
    return `${status} ${body}`
  }

  raise(alarm: number): void {
    this.call((done) => this.engine.alarm({ action: 1, memberId: 7n, alarm }, done))
  }
}

test('/health: alarms, the leader and a read, as etcd words them', async () => {
  const world = new PagesWorld()
  assert.equal(await world.text('/health'), '200 {"health":"true","reason":""}')
  world.group.refusal = { ok: false, reason: 'timeout', outcome: 'unknown' }
  const readFails = '503 {"health":"false","reason":"RANGE ERROR:etcdserver: request timed out"}\n'
  assert.equal(await world.text('/health'), readFails)
  assert.equal(await world.text('/health?serializable=true'), '200 {"health":"true","reason":""}')
  world.group.changeStatus({ role: 'follower', leader: 0n })
  assert.equal(await world.text('/health'), '503 {"health":"false","reason":"RAFT NO LEADER"}\n')
  assert.equal(await world.text('/health?serializable=true'), '200 {"health":"true","reason":""}')
  world.group.refusal = undefined
  world.raise(1)
  assert.equal(await world.text('/health'), '503 {"health":"false","reason":"ALARM NOSPACE"}\n')
  world.group.changeStatus({ role: 'leader', leader: 7n })
  assert.equal(await world.text('/health?exclude=NOSPACE'), '200 {"health":"true","reason":""}')
  assert.match(await world.text('/metrics'), /^etcd_server_health_success 4$/m)
  assert.match(await world.text('/metrics'), /^etcd_server_health_failures 3$/m)
})

test('/livez and /readyz: verbose, single checks, excluded ones, failures', async () => {
  const world = new PagesWorld()
  assert.equal(await world.text('/livez'), '200 ok\n')
  const all = '[+]data_corruption ok\n[+]serializable_read ok\n[+]linearizable_read ok\n[+]non_learner ok\n'
  assert.equal(await world.text('/readyz?verbose'), `200 ${all}ok\n`)
  assert.equal(await world.text('/readyz/non_learner?verbose'), '200 [+]non_learner ok\nok\n')
  world.raise(2)
  world.group.refusal = { ok: false, reason: 'timeout', outcome: 'unknown' }
  assert.equal(
    await world.text('/readyz'),
    '503 [-]data_corruption failed: alarm activated: CORRUPT\n[+]serializable_read ok\n' +
      '[-]linearizable_read failed: etcdserver: request timed out\n[+]non_learner ok\n\n',
  )
  assert.equal(await world.text('/readyz?exclude=data_corruption&exclude=linearizable_read'), '200 ok\n')
  assert.equal(await world.text('/livez'), '200 ok\n')
})

test('a learner says so, and counts the promotions that it is asked for', async () => {
  const founders = [
    { ...testMembers[0]!, isLearner: true },
    { ...testMembers[1]!, isLearner: false },
  ]
  const world = new PagesWorld({}, founders)
  assert.equal(await world.text('/readyz/non_learner'), '503 [-]non_learner failed: not supported for learner\n\n')
  assert.match(await world.text('/metrics'), /^etcd_server_is_learner 1$/m)
  world.membership.catchUp = { ok: true, state: 'behind' }
  world.call((done) => world.engine.memberPromote(7n, done))
  world.membership.catchUp = { ok: true, state: 'caught-up' }
  world.call((done) => world.engine.memberPromote(7n, done))
  const page = await world.text('/metrics')
  assert.match(page, /^etcd_server_is_learner 0$/m)
  assert.match(page, /^etcd_server_learner_promote_successes 1$/m)
  assert.match(page, /^etcd_server_learner_promote_failures\{Reason="etcdserver: .* in sync with leader"\} 1$/m)
  assert.equal(await world.text('/readyz/non_learner'), '200 ok\n')
})

test('a voter is not ready before it counts as one, in both halves of a joint configuration', async () => {
  const world = new PagesWorld()
  const states: string[] = []
  for (const configuration of [
    { voters: [8n], outgoing: [], learners: [7n] },
    { voters: [7n, 8n], outgoing: [8n], learners: [] },
    { voters: [7n, 9n], outgoing: [7n, 8n], learners: [] },
    { voters: [7n, 8n], outgoing: [], learners: [] },
  ]) {
    world.group.changeConfiguration(configuration)
    const { status } = await world.get('/readyz/non_learner')
    states.push(
      `${status} ${(await world.get('/health')).status} ${(await world.get('/health?serializable=true')).status}`,
    )
  }
  assert.deepEqual(states, ['503 503 200', '503 503 200', '200 200 200', '200 200 200'])
  world.group.changeConfiguration({ voters: [8n], outgoing: [], learners: [7n] })
  assert.equal(await world.text('/health'), '503 {"health":"false","reason":"NOT A VOTER YET"}\n')
})

test('a newcomer that has not copied its own addition yet is not ready', async () => {
  const world = new PagesWorld({}, [testMembers[1]!])
  world.group.changeConfiguration({ voters: [8n], outgoing: [], learners: [7n] })
  assert.equal(await world.text('/health'), '503 {"health":"false","reason":"NOT A VOTER YET"}\n')
  assert.equal(await world.text('/readyz/non_learner'), '503 [-]non_learner failed: not a voter yet\n\n')
  world.group.changeConfiguration({ voters: [7n, 8n], outgoing: [], learners: [] })
  assert.equal(await world.text('/health'), '200 {"health":"true","reason":""}')
})

test('only GET; /version is JSON', async () => {
  const world = new PagesWorld()
  const refused = await world.get('/health', 'POST')
  assert.equal(refused.status, 405)
  assert.equal(refused.headers?.['allow'], 'GET')
  const { body, headers } = await world.get('/version')
  assert.equal(headers?.['content-type'], 'application/json')
  const { etcdserver, etcdcluster, storage, synod } = JSON.parse(String(body)) as Record<string, string>
  assert.match(String(etcdserver), /^3\.6\.\d+$/)
  assert.deepEqual([etcdcluster, storage], ['3.6.0', '3.6.0'])
  assert.ok(synod !== undefined)
})

test('/metrics: every family well formed, nothing made up', async () => {
  const world = new PagesWorld()
  world.run(putRequest('k', '1'))
  const fsync = new Histogram(diskSecondsBounds)
  for (const seconds of [0.0005, 0.001, 0.003, 100]) fsync.observe(seconds)
  world.node = { walSyncSeconds: fsync, leaderChanges: 2 }
  const page = String((await world.get('/metrics')).body)
  const sample = /^[a-z_]+(\{([A-Za-z_]+="[^"]*",?)+\})? (\+Inf|-?[\d.e+-]+)$/
  for (const line of page.trimEnd().split('\n')) assert.ok(line.startsWith('# ') || sample.test(line), line)
  const has = (line: string): void => assert.ok(page.includes(`\n${line}\n`), line)
  has('etcd_server_leader_changes_seen_total 2')
  has('etcd_debugging_mvcc_keys_total 1')
  has('etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 2')
  has('etcd_disk_wal_fsync_duration_seconds_bucket{le="0.004"} 3')
  has('etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 4')
  has('etcd_disk_wal_fsync_duration_seconds_count 4')
  has('grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 5')
  assert.match(
    page,
    /grpc_code="Canceled",grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"} 1/,
  )
  has('synod_grpc_unknown_method_total 4')
  assert.ok(!page.includes('process_cpu_seconds_total'))
})
