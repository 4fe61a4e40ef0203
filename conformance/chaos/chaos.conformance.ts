// Real processes under real faults, on each algorithm: `synod chaos` for SYNOD_CHAOS_SECONDS (default 120), with a seed
// that follows from the commit, so that each commit meets other faults and a failed one meets the same again.
// SYNOD_CHAOS_CONSENSUS=raft or paxos runs one algorithm only, SYNOD_CHAOS_SEED another seed.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, it } from 'node:test'
import { type ChaosResult, repo, runChaosCommand } from './chaos-process.ts'

const seconds = Number(process.env['SYNOD_CHAOS_SECONDS'] ?? 120)
const algorithms = (process.env['SYNOD_CHAOS_CONSENSUS'] ?? 'raft,paxos').split(',')
const seed = process.env['SYNOD_CHAOS_SEED'] ?? commit()
/** Starting, healing and checking take this much on top, in milliseconds, where everything goes wrong. */
const marginMs = 150_000
/** Below this the clients were too idle to have seen anything. */
const acknowledgedPerSecondMin = 200

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: repo, encoding: 'utf8' }).trim()
  } catch {
    // A source archive has no history.
    return 'no-commit'
  }
}

describe('chaos on real processes', () => {
  for (const consensus of algorithms)
    it(`${consensus}: ${seconds} s from seed ${seed}`, { timeout: seconds * 1000 + marginMs }, async (context) => {
      const args = ['--consensus', consensus, '--duration', String(seconds), '--seed', seed, '--json']
      const { status, stdout, stderr } = await runChaosCommand(args)
      assert.equal(status, 0, `${stderr}\n${stdout}`)
      const result = JSON.parse(stdout) as ChaosResult
      assert.equal(result.verdict, 'valid')
      const perSecond = result.operations.ok / result.workedSeconds
      context.diagnostic(
        `${result.faults.length} faults, ${result.leaderships} leaderships, ${perSecond.toFixed(0)} acknowledged operations a second`,
      )
      assert.ok(result.faults.length >= seconds / 10, `only ${result.faults.length} faults`)
      assert.ok(perSecond >= acknowledgedPerSecondMin, `only ${perSecond} acknowledged operations a second`)
    })
})
