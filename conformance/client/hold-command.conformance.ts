// `synod lock` and `synod elect` as processes, against a real Synod cluster: what they run, hand on, lose and give back.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeFlags } from '../../node-flags.mjs'
import { type Cluster, startCluster } from '../cluster.ts'
import { until as untilAnswer } from '../faults/rpc.ts'

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

const until = (what: string, holds: () => boolean | Promise<boolean>, timeoutMs: number): Promise<true> =>
  untilAnswer(what, async () => ((await holds()) ? true : undefined), timeoutMs)

interface Run {
  readonly child: ChildProcess
  stdout: string
  stderr: string
  readonly ended: Promise<number>
}

describe('synod lock and synod elect', { concurrency: 1 }, () => {
  let cluster: Cluster
  let folder: string
  const running = new Set<ChildProcess>()

  before(async () => {
    cluster = await startCluster({ kind: 'synod', nodes: 1 })
    folder = mkdtempSync(join(tmpdir(), 'synod-hold-'))
  })
  after(async () => {
    for (const child of running) child.kill('SIGKILL')
    await cluster?.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const start = (...args: string[]): Run => {
    const connect = `synod://${new URL(cluster.member(0).clientUrl).host}`
    const child = spawn(process.execPath, [...nodeFlags, main, ...args], {
      env: { ...process.env, SYNOD_CONNECT: connect },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(child)
    const ended = new Promise<number>((resolve) => {
      child.once('close', (code) => {
        running.delete(child)
        resolve(code ?? -1)
      })
    })
    const run: Run = { child, stdout: '', stderr: '', ended }
    child.stdout.on('data', (chunk: Buffer) => (run.stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (run.stderr += chunk.toString()))
    return run
  }
  const showToken = ['sh', '-c', 'echo $SYNOD_LOCK $SYNOD_FENCING_TOKEN']
  /** A command that says that it runs, and ends when `file` is there. */
  const untilFile = (file: string) => ['sh', '-c', `echo begun; while [ ! -e ${file} ]; do sleep 0.05; done; echo over`]

  it('runs the command with the token, hands its exit status on, and gives the lock back', async () => {
    const tokens: number[] = []
    for (let i = 0; i < 2; i++) {
      const run = start('lock', 'nightly report', '--', ...showToken)
      assert.equal(await run.ended, 0, run.stderr)
      tokens.push(Number(/^nightly report (\d+)\n$/.exec(run.stdout)?.[1]))
    }
    assert(tokens[1]! > tokens[0]!, `${tokens}`)
    assert.equal(await start('lock', 'nightly report', '--', 'sh', '-c', 'exit 7').ended, 7)
  })

  it('one at a time: --wait 0 gives up at once, others wait for their turn', { timeout: 60_000 }, async () => {
    const file = join(folder, 'first')
    const first = start('lock', 'turn', '--', ...untilFile(file))
    await until('the first runs', () => first.stdout.includes('begun'), 20_000)
    const none = start('lock', 'turn', '--wait', '0', '--', 'echo', 'ran')
    assert.equal(await none.ended, 75)
    assert.equal(none.stdout, '')
    assert.match(none.stderr, /did not become free within --wait; nothing was run/)
    const second = start('lock', 'turn', '--', 'sh', '-c', `[ -e ${file} ] && echo after`)
    spawn('touch', [file])
    assert.equal(await second.ended, 0)
    assert.equal(second.stdout, 'after\n')
    assert.equal(await first.ended, 0)
  })

  it('SIGTERM while it waits takes its place in line back', { timeout: 60_000 }, async () => {
    const file = join(folder, 'signal')
    const first = start('lock', 'signal', '--ttl', '60', '--', ...untilFile(file))
    await until('the first runs', () => first.stdout.includes('begun'), 20_000)
    const waiting = start('lock', 'signal', '--ttl', '60', '--', 'echo', 'ran')
    const inLine = async (): Promise<boolean> => {
      const { stdout } = await finished(
        start('get', 'synod/locks/signal/queue/', '--prefix', '--keys-only', '--endpoints', endpoint()),
      )
      return stdout.trim().split('\n').length === 2
    }
    await until('it waits', inLine, 20_000)
    waiting.child.kill('SIGTERM')
    assert.equal(await waiting.ended, 143)
    assert.equal(waiting.stdout, '')
    assert.equal(await inLine(), false)
    spawn('touch', [file])
    assert.equal(await first.ended, 0)
  })

  it('elect: the next leads when the first is killed; a command that is not there is 127', {
    timeout: 60_000,
  }, async () => {
    const file = join(folder, 'leader')
    const first = start('elect', 'boss', '--ttl', '2', '--', ...untilFile(file))
    await until('the first leads', () => first.stdout.includes('begun'), 20_000)
    const second = start('elect', 'boss', '--ttl', '2', '--json', '--', ...untilFile(file))
    first.child.kill('SIGKILL')
    await until('the second leads', () => second.stdout.includes('begun'), 20_000)
    assert.match(second.stderr, /^\{"event":"leading","election":"boss","fencingToken":\d+\}\n$/)
    spawn('touch', [file])
    assert.equal(await second.ended, 0)
    assert(existsSync(file))
    const missing = start('elect', 'boss', '--', 'no-such-program')
    assert.equal(await missing.ended, 127)
    assert.match(missing.stderr, /cannot run "no-such-program"/)
  })

  it('when the lock is lost, the command is ended and the exit status says so', { timeout: 60_000 }, async () => {
    const run = start(
      'lock',
      'lost',
      '--ttl',
      '2',
      '--grace',
      '1',
      '--',
      'sh',
      '-c',
      "trap '' TERM; echo begun; while :; do sleep 0.1; done",
    )
    await until('it runs', () => run.stdout.includes('begun'), 20_000)
    // Nobody answers any more, so that the session cannot be renewed.
    cluster.member(0).kill('SIGSTOP')
    try {
      assert.equal(await run.ended, 76, run.stderr)
      assert.match(run.stderr, /lost the lock lost while the command ran, and ended it/)
    } finally {
      cluster.member(0).kill('SIGCONT')
    }
  })

  const endpoint = (): string => new URL(cluster.member(0).clientUrl).host
  const finished = async (run: Run): Promise<Run> => {
    await run.ended
    return run
  }
})
