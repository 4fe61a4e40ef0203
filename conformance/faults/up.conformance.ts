// `synod up`, as its user meets it: what it prints, that it keeps its nodes running, refuses a second one on the same
// data, continues with the data, and leaves nothing behind.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { skipWithoutSubject, subjectKind } from '../subject.ts'
import { Channel } from './channel.ts'
import { figure } from './figures.ts'
import { keyValuesOf, put, range, succeeded, until } from './rpc.ts'
import { isAlive, UpProcess } from './up-process.ts'

const skip = subjectKind === 'synod' ? skipWithoutSubject() : 'a command of Synod'

describe('synod up', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-up-test-'))
  const data = join(folder, 'data')
  let running: UpProcess
  let endpoints: string[] = []
  const holder = createServer()

  before(async () => {
    // Something holds the usual port, if it was free.
    await new Promise<void>((resolve) => {
      holder.once('error', () => resolve())
      holder.listen(2379, '127.0.0.1', () => resolve())
    })
  })
  after(async () => {
    running?.interrupt()
    await running?.ended()
    holder.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = async (args: readonly string[]): Promise<UpProcess> => {
    const up = new UpProcess(args)
    const serving = await up.waitFor('serving', 3)
    endpoints = serving.map((event) => new URL(String(event['endpoint'])).host)
    return up
  }
  const nodePids = () => running.eventsOf('node-started').map((event) => Number(event['pid']))

  it('tells as JSON lines what happens, taken ports too', { timeout: 40_000 }, async () => {
    const atMs = performance.now()
    running = await start(['--data', data, '--json'])
    figure(`synod up served after ${((performance.now() - atMs) / 1000).toFixed(1)} s`)
    const roles = running.eventsOf('serving').map((event) => event['role'])
    assert.deepEqual([...roles].sort(), ['follower', 'follower', 'leader'])
    const taken = running.eventsOf('port-taken').find((event) => event['wanted'] === 2379)
    assert.ok(taken !== undefined && taken['port'] !== 2379, running.stdout)
    const channel = new Channel(endpoints[0]!)
    succeeded(await put(channel, 'kept', 'over restarts'))
    channel.close()
  })

  it('starts a node again that dies', { timeout: 30_000 }, async () => {
    const started = running.eventsOf('node-started')
    const victim = Number(started[1]?.['pid'])
    process.kill(victim, 'SIGKILL')
    const [died] = await running.waitFor('node-died', 1)
    assert.equal(died?.['how'], 'SIGKILL')
    const again = (await running.waitFor('node-started', started.length + 1)).at(-1)
    assert.equal(again?.['node'], started[1]?.['node'])
    assert.notEqual(again?.['pid'], victim)
    const channel = new Channel(new URL(String(again?.['endpoint'])).host)
    await until('the node to serve', async () => ((await range(channel, 'kept')).kind === 'ok' ? true : undefined))
    channel.close()
  })

  it('refuses a second one on the same data, and says who has it', { timeout: 20_000 }, async () => {
    const second = new UpProcess(['--data', data])
    assert.notEqual(await second.ended(), 0)
    const said = second.stdout + second.stderr
    assert.match(said, new RegExp(`process ${running.pid}\\b`))
    assert.match(said, /127\.0\.0\.1:\d+/, 'the address of the running cluster')
    assert.doesNotMatch(said, /\.ts:\d+/, 'no stack trace')
  })

  it('ends cleanly on Ctrl-C', { timeout: 30_000 }, async () => {
    const pids = nodePids()
    const atMs = performance.now()
    running.interrupt()
    assert.equal(await running.ended(), 0, running.stderr)
    assert.deepEqual(pids.filter(isAlive), [], 'no node is left')
    assert.doesNotMatch(running.stderr, /\.ts:\d+/, 'no stack trace')
    figure(`Ctrl-C ended three nodes in ${(performance.now() - atMs).toFixed(0)} ms`)
  })

  it('refuses another number of nodes for the same data', { timeout: 20_000 }, async () => {
    const other = new UpProcess(['--data', data, '--nodes', '1'])
    assert.notEqual(await other.ended(), 0)
    assert.match(other.stderr, /holds a cluster of 3 nodes, and --nodes says 1/)
  })

  it('continues with the data, and its nodes end when it is killed', { timeout: 40_000 }, async () => {
    running = await start(['--data', data, '--json', '--nodes', '3'])
    const channel = new Channel(endpoints[2]!)
    const [kv] = keyValuesOf(succeeded(await range(channel, 'kept')))
    channel.close()
    assert.equal(Buffer.from(kv?.value ?? []).toString(), 'over restarts')
    const pids = nodePids()
    running.kill('SIGKILL')
    await until('the nodes to end with it', async () => (pids.some(isAlive) ? undefined : true))
  })

  it('--ephemeral prints a table and leaves nothing behind', { timeout: 40_000 }, async () => {
    const temporary = mkdtempSync(join(folder, 'tmp-'))
    running = new UpProcess(['--ephemeral'], { TMPDIR: temporary })
    await until('the table', async () => (running.stdout.includes('Ctrl-C') ? true : undefined))
    assert.match(running.stdout, /NAME\s+ENDPOINT\s+ROLE\s+TERM\s+REVISION/)
    assert.equal(running.stdout.match(/^n[123]\s+127\.0\.0\.1:\d+\s+(leader|follower)\s+\d+\s+\d+/gm)?.length, 3)
    assert.equal(readdirSync(temporary).length, 1)
    running.interrupt()
    assert.equal(await running.ended(), 0, running.stderr)
    assert.deepEqual(readdirSync(temporary), [])
  })
})
