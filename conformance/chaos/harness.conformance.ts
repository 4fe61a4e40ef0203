// The chaos command itself: a short run ends well and leaves nothing behind, and so does one that is interrupted or killed.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { type ChaosResult, runChaosCommand, startChaosCommand } from './chaos-process.ts'

const folder = mkdtempSync(join(tmpdir(), 'synod-chaos-test-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** The process ids of all nodes whose data lies in `directory`. */
function nodesOn(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
          .split('\0')
          .some((arg) => arg.startsWith(`${directory}/`))
      } catch {
        return false
      }
    })
    .map(Number)
}

async function until(condition: () => boolean, what: string, timeoutMs = 20_000): Promise<void> {
  for (const deadline = performance.now() + timeoutMs; !condition(); ) {
    if (performance.now() > deadline) assert.fail(`never: ${what}`)
    await delay(50)
  }
}

const skip = process.platform === 'linux' ? false : 'looks for processes in /proc'

describe('synod chaos, the command', { skip }, () => {
  it('a short run is valid and removes what it made', { timeout: 60_000 }, async () => {
    const history = join(folder, 'history.jsonl')
    const args = ['--duration', '10', '--seed', 'smoke', '--history', history, '--json']
    const { status, stdout, stderr } = await runChaosCommand(args)
    assert.equal(status, 0, `${stderr}\n${stdout}`)
    const result = JSON.parse(stdout) as ChaosResult
    assert.equal(result.verdict, 'valid')
    assert.ok(result.faults.length >= 2, 'faults happened')
    assert.ok(result.operations.ok / result.workedSeconds >= 50, 'clients were at work')
    assert.equal(existsSync(result.directory), false, 'the temporary directory is gone')
    const lines = readFileSync(history, 'utf8').trimEnd().split('\n')
    assert.ok(lines.length > result.operations.ok, 'the history is kept where it was asked for')
    for (const line of lines.slice(0, 1000)) JSON.parse(line)
  })

  it('interrupted, it ends its nodes', { timeout: 60_000 }, async () => {
    const data = join(folder, 'interrupted')
    const command = startChaosCommand(['--duration', '60', '--faults', 'stop', '--data', data])
    await until(() => nodesOn(data).length === 3, 'three nodes')
    await delay(1000)
    command.kill('SIGINT')
    const { status } = await command.exited
    assert.equal(status, 130)
    assert.deepEqual(nodesOn(data), [])
  })

  it('killed, it leaves no node behind, not even a stopped one', { timeout: 60_000 }, async () => {
    const data = join(folder, 'killed')
    const command = startChaosCommand(['--duration', '60', '--faults', 'none', '--data', data])
    await until(() => nodesOn(data).length === 3, 'three nodes')
    const [first] = nodesOn(data)
    process.kill(first!, 'SIGSTOP')
    command.kill('SIGKILL')
    await command.exited
    await until(() => nodesOn(data).length === 0, 'all nodes gone')
  })

  it('refuses what it cannot run', async () => {
    const refused = async (args: readonly string[], message: RegExp): Promise<void> => {
      const { status, stderr } = await runChaosCommand(args)
      assert.equal(status, 2)
      assert.match(stderr, message)
    }
    await refused(['--nodes', '4'], /3 or 5/)
    await refused(['--consensus', 'luck'], /raft or paxos/)
    await refused(['--faults', 'kill,meteor'], /knows no "meteor"/)
    await refused(['--clients', '2'], /whole number from/)
    await refused(['--data', tmpdir()], /not empty/)
  })
})
