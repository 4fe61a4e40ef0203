import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ConfigError, type NodeConfig, readNodeConfig } from './node-config.ts'

function read(args: string[], environment: Record<string, string> = {}, file = ''): NodeConfig {
  return readNodeConfig({ args, environment, readFile: () => file })
}

function problems(args: string[], environment: Record<string, string> = {}, file = ''): readonly string[] {
  try {
    read(args, environment, file)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.problems
  }
  return assert.fail('the configuration was taken')
}

const trio = 'n1=http://127.0.0.1:2380,n2=http://127.0.0.1:22380,n3=http://127.0.0.1:32380'

describe('node configuration', () => {
  test('without settings: one member on loopback, with etcd’s defaults', () => {
    const config = read([])
    assert.equal(config.name, 'default')
    assert.equal(config.dataDir, 'default.synod')
    assert.deepEqual(
      config.listenClientUrls.map((url) => url.text),
      ['http://127.0.0.1:2379'],
    )
    assert.equal(config.members.length, 1)
    assert.equal(config.heartbeatIntervalMs, 100)
    assert.equal(config.electionTimeoutMs, 1000)
    assert.equal(config.quotaBytes, 2 * 1024 ** 3)
    assert.deepEqual(config.autoCompaction, { mode: 'off' })
  })

  test('ids are etcd’s own: the same settings gave these in etcd 3.6.16', () => {
    const config = read(['--name=n1', `--initial-cluster=${trio}`, '--initial-cluster-token=etcd-cluster'])
    assert.equal(config.memberId, config.members[0]!.id)
    assert.equal(new Set(config.members.map((member) => member.id)).size, 3)
    const other = read(['--name=n1', `--initial-cluster=${trio}`, '--initial-cluster-token=another'])
    assert.notEqual(other.memberId, config.memberId)
    assert.notEqual(other.clusterId, config.clusterId)
    const single = read([
      '--initial-advertise-peer-urls=http://localhost:2380',
      '--listen-peer-urls=http://127.0.0.1:2380',
    ])
    assert.equal(single.memberId.toString(16), '8e9e05c52164694d')
    assert.equal(single.clusterId.toString(16), 'cdf818194e3a8c32')
  })

  test('flags win over variables, and both may use = or a blank', () => {
    const config = read(['--name', 'n1', '--log-level=warn'], { ETCD_NAME: 'n9', ETCD_DATA_DIR: '/data' })
    assert.equal(config.name, 'n1')
    assert.equal(config.dataDir, '/data')
    assert.equal(config.logLevel, 'warn')
  })

  test('a config file holds everything; what contradicts it is refused', () => {
    const file = 'name: n1\ndata-dir: /data\nauto-compaction-retention: "1h"\n'
    const config = read(['--config-file=synod.yaml'], {}, file)
    assert.equal(config.name, 'n1')
    assert.deepEqual(config.autoCompaction, { mode: 'periodic', periodMs: 3_600_000 })
    const [problem] = problems(['--config-file=synod.yaml', '--name=n2'], {}, file)
    assert.match(problem!, /--name is "n2", but synod.yaml says "n1"/)
  })

  test('what is known and not carried out is refused by name, from every source', () => {
    const found = problems(
      ['--cert-file=x', '--config-file=c.yaml', '--experimental-initial-corrupt-check=true'],
      { ETCD_AUTO_TLS: 'true' },
      'wal-dir: /wal\nclient-transport-security:\n  auto-tls: true\n',
    ).join('\n')
    for (const name of [
      '--cert-file',
      'ETCD_AUTO_TLS',
      'wal-dir in c.yaml',
      'client-transport-security in c.yaml',
      '--experimental-initial-corrupt-check',
    ])
      assert.ok(found.includes(`${name} is known to etcd`), `${name}: ${found}`)
  })

  test('all mistakes are told at once, each with what to do', () => {
    const found = problems([
      '--nam=x',
      '--heartbeat-interval=500',
      '--listen-client-urls=https://127.0.0.1:2379',
      '--listen-peer-urls=http://0.0.0.0:2380',
      '--snapshot-count=-1',
      '--auto-compaction-mode=sometimes',
      'stray',
    ]).join('\n')
    assert.match(found, /--nam is not a setting; did you mean --name\?/)
    assert.match(found, /--election-timeout \(1000 ms\) must be at least five times --heartbeat-interval \(500 ms\)/)
    assert.match(found, /https is not carried out yet/)
    assert.match(found, /0\.0\.0\.0:2380 can be reached from other machines.*--insecure/)
    assert.match(found, /--snapshot-count is "-1"/)
    assert.match(found, /must be one of periodic, revision/)
    assert.match(found, /"stray" is not a flag/)
  })

  test('a listener off loopback is allowed by --insecure and named for the warning', () => {
    const config = read(['--insecure', '--listen-client-urls=http://0.0.0.0:2379'])
    assert.deepEqual(
      config.exposedUrls.map((url) => url.text),
      ['http://0.0.0.0:2379'],
    )
  })

  test('the initial cluster must name this member, with its own URLs, and each URL once', () => {
    assert.match(problems(['--name=n4', `--initial-cluster=${trio}`]).join(), /does not name this member \("n4"\)/)
    assert.match(
      problems(['--name=n1', `--initial-cluster=${trio}`, '--listen-peer-urls=http://127.0.0.1:9']).join(),
      /they must agree/,
    )
    assert.match(
      problems(['--initial-cluster=default=http://127.0.0.1:2380,b=http://127.0.0.1:2380']).join(),
      /to both default and b/,
    )
  })

  test('retention: durations, hours, revisions', () => {
    assert.deepEqual(read(['--auto-compaction-retention=1h30m']).autoCompaction, {
      mode: 'periodic',
      periodMs: 5_400_000,
    })
    assert.deepEqual(read(['--auto-compaction-retention=2']).autoCompaction, { mode: 'periodic', periodMs: 7_200_000 })
    assert.deepEqual(read(['--auto-compaction-mode=revision', '--auto-compaction-retention=1000']).autoCompaction, {
      mode: 'revision',
      retainedRevisions: 1000,
    })
    assert.match(problems(['--auto-compaction-retention=soon']).join(), /is not a duration/)
  })

  test('the consensus algorithm is raft unless said, and lease reads are of raft only', () => {
    const config = read([])
    assert.deepEqual([config.consensus, config.leaseReads, config.forceNewCluster], ['raft', false, false])
    const other = read(['--consensus=paxos', '--force-new-cluster'])
    assert.deepEqual([other.consensus, other.forceNewCluster], ['paxos', true])
    assert.equal(read(['--lease-reads']).leaseReads, true)
    assert.match(
      problems(['--lease-reads', '--consensus=paxos']).join(),
      /--lease-reads works with --consensus raft only/,
    )
    assert.match(problems(['--consensus=zab']).join(), /must be one of raft, paxos/)
  })
})
