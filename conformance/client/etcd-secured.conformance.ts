// The driver against a real etcd that asks who its clients are, and one that speaks TLS only.
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { ClientRuntime, Driver } from '../../src/client/driver/index.ts'
import { type EtcdDriverOptions, openEtcdDriver } from '../../src/client/drivers/etcd/index.ts'
import { SynodError, type SynodErrorCode } from '../../src/client/errors.ts'
import { createTlsNetwork } from '../../src/runtime/node/index.ts'
import { type Cluster, startCluster } from '../cluster.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { endpointsOf, outside } from './etcd-cluster-subject.ts'

const root = { username: 'root', password: 'secret' }
const patienceMs = 20_000

describe('an etcd that asks who its clients are', { skip: skipWithout('etcd36', 'etcdctl36') }, () => {
  let cluster: Cluster

  function etcdctl(...args: string[]): void {
    const { status, stderr } = spawnSync(requirePeer('etcdctl36'), ['--endpoints', cluster.endpoints, ...args], {
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
  }

  function open(auth?: EtcdDriverOptions['auth']): Promise<Driver> {
    return openEtcdDriver({ endpoints: endpointsOf(cluster), ...(auth === undefined ? {} : { auth }) }, outside)
  }

  before(async () => {
    cluster = await startCluster({ kind: 'etcd36', nodes: 1 })
  })
  after(() => cluster.stop())

  it('one that does not ask lets everybody in, also who says who he is', async () => {
    const driver = await open(root)
    await put(driver, 'a/1')
    await driver.close()
    etcdctl('user', 'add', 'root:secret')
    etcdctl('role', 'add', 'root')
    etcdctl('user', 'grant-role', 'root', 'root')
    etcdctl('user', 'add', 'alice:wonder')
    etcdctl('role', 'add', 'a')
    etcdctl('role', 'grant-permission', 'a', 'readwrite', '--prefix', 'a/')
    etcdctl('user', 'grant-role', 'alice', 'a')
    etcdctl('auth', 'enable')
  })

  it('a user does what his roles permit, and is told of the rest', async () => {
    const driver = await open({ username: 'alice', password: 'wonder' })
    await put(driver, 'a/2')
    assert.equal((await driver.list({ start: 'a/', end: 'a0' })).entries.length, 2)
    await rejects(put(driver, 'b/1'), 'PERMISSION_DENIED')
    await rejects(driver.get('b/1'), 'PERMISSION_DENIED')
    await rejects(driver.observe({ start: 'b/', end: 'b0' }, { onChange() {}, onEnd() {} }), 'PERMISSION_DENIED')
    let changes = 0
    const subscription = await driver.observe({ start: 'a/', end: 'a0' }, { onChange: () => changes++, onEnd() {} })
    await put(driver, 'a/3')
    await until('the change', () => changes > 0)
    subscription.cancel()
    const { leaseId } = await driver.grantLease(5000)
    assert.equal((await driver.renewLease(leaseId)).leaseId, leaseId)
    await driver.revokeLease(leaseId)
    await driver.close()
  })

  it('a wrong password is refused when the driver opens; no name at all at the first call', async () => {
    await rejects(open({ username: 'alice', password: 'wrong' }), 'UNAUTHENTICATED')
    const driver = await open()
    await rejects(driver.get('a/1'), 'UNAUTHENTICATED')
    await rejects(put(driver, 'a/1'), 'UNAUTHENTICATED')
    await driver.close()
  })

  it('a token that the server forgot is renewed: calls, leases and watches go on', async () => {
    const driver = await open(root)
    const { leaseId } = await driver.grantLease(60_000)
    // Tokens of this kind live in the memory of the server.
    await cluster.member(0).restart()
    const [read, written, renewed] = await Promise.all([
      driver.get('a/1'),
      put(driver, 'a/4'),
      driver.renewLease(leaseId, { deadlineMs: outside.clock.monotonicMs() + patienceMs }),
    ])
    assert.ok(read.entry !== undefined && written.succeeded && renewed.leaseId === leaseId)
    await cluster.member(0).restart()
    let ended: SynodError | undefined
    let events = 0
    const sink = {
      onEvents: (each: readonly unknown[]) => {
        events += each.length
      },
      onCompacted() {},
      onEnd: (error: SynodError) => {
        ended = error
      },
    }
    // Of the two only the first may find the old token refused; it says so when there is a new one.
    driver.watch!({ start: 'a/', end: 'a0' }, written.revision, sink)
    await until('events, or an end', () => events > 0 || ended !== undefined)
    if (ended !== undefined) {
      assert.deepEqual([ended.code, ended.retryable], ['UNAVAILABLE', true])
      driver.watch!({ start: 'a/', end: 'a0' }, written.revision, sink)
    }
    await until('events', () => events > 0)
    await driver.close()
  })
})

describe('an etcd that speaks TLS only', { skip: skipWithout('etcd36') || skipWithoutOpenssl() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-etcd-tls-'))
  const file = (name: string) => join(folder, name)
  let server: ChildProcess | undefined
  let port = 0

  before(async () => {
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('key.pem')]
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, '-out', file('cert.pem'), ...subject], {
      stdio: 'ignore',
    })
    const [clientPort, peerPort] = await Promise.all([freePort(), freePort()])
    port = clientPort
    const client = `https://127.0.0.1:${clientPort}`
    const peer = `http://127.0.0.1:${peerPort}`
    server = spawn(
      requirePeer('etcd36'),
      [
        ...['--name', 'n1', '--data-dir', file('data'), '--cert-file', file('cert.pem'), '--key-file', file('key.pem')],
        ...['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer],
        ...['--initial-advertise-peer-urls', peer, '--initial-cluster', `n1=${peer}`],
      ],
      { stdio: 'ignore' },
    )
  })
  after(async () => {
    if (server !== undefined && server.exitCode === null) {
      const gone = new Promise((resolve) => server!.once('exit', resolve))
      server.kill('SIGKILL')
      await gone
    }
    rmSync(folder, { recursive: true, force: true })
  })

  function over(options: Parameters<typeof createTlsNetwork>[0]): ClientRuntime {
    return { ...outside, network: createTlsNetwork(options) }
  }

  it('is reached by who trusts its certificate, by nobody else', async () => {
    const endpoints = [{ host: '127.0.0.1', port }]
    const ca = readFileSync(file('cert.pem'))
    const driver = await openEtcdDriver({ endpoints, secure: true, connectTimeoutMs: patienceMs }, over({ ca }))
    const { revision } = await put(driver, 'k')
    assert.equal((await driver.get('k')).entry?.modRevision, revision)
    const { leaseId } = await driver.grantLease(5000)
    await driver.renewLease(leaseId)
    await driver.close()
    await rejects(openEtcdDriver({ endpoints, connectTimeoutMs: 1000 }, over({})), 'UNAVAILABLE')
    await rejects(openEtcdDriver({ endpoints, connectTimeoutMs: 1000 }, outside), 'UNAVAILABLE')
  })
})

function skipWithoutOpenssl(): string | false {
  return spawnSync('openssl', ['version']).status === 0 ? false : 'missing openssl'
}

function put(driver: Driver, key: string) {
  return driver.transact({ compares: [], success: [{ type: 'put', key, value: Buffer.from('v') }] })
}

function rejects(work: Promise<unknown>, code: SynodErrorCode): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof SynodError, String(error))
    assert.deepEqual([error.code, error.outcome], [code, 'not-applied'], error.message)
    return true
  })
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const untilMs = outside.clock.monotonicMs() + patienceMs
  while (!holds()) {
    assert.ok(outside.clock.monotonicMs() < untilMs, `in time: ${what}`)
    await new Promise<void>((resolve) => outside.scheduler.setTimer(10, resolve))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}
