/**
 * Runs simulated worlds on fresh seeds: both algorithms at a time, a process each, every scenario in turn. The seeds come
 * from the commit, so that each one tries others and a failure can be run again.
 *
 * `node scripts/sim.ts` runs for three minutes and fails when a world does. `--soak` goes on until it is stopped, with
 * seeds of the moment.
 */
import { execFileSync, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '180' },
    seed: { type: 'string' },
    soak: { type: 'boolean', default: false },
  },
})

/** Far apart, so that the worlds of one commit are not those of the next. */
function seedOfCommit(): number {
  try {
    const commit = execFileSync('git', ['-C', root, 'rev-parse', 'HEAD'], { encoding: 'utf8' })
    return Number.parseInt(commit.slice(0, 8), 16) * 1000
  } catch {
    return 0
  }
}

const seed = values.seed ?? String(values.soak ? randomInt(2 ** 40) : seedOfCommit())

function run(consensus: string): Promise<boolean> {
  const limits = values.soak ? [] : ['--for', values.seconds]
  const args = [
    'sim',
    '--scenario',
    'all',
    '--seeds',
    '1000000000',
    '--seed',
    seed,
    '--consensus',
    consensus,
    ...limits,
  ]
  process.stdout.write(`synod ${args.join(' ')}\n`)
  const child = spawn(process.execPath, [join(root, 'synod'), ...args], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // Each says what it has to say at its end, or about a failure: in one piece.
  child.stdout.on('data', (text: Buffer) => process.stdout.write(text))
  return new Promise((resolve) => child.on('close', (code) => resolve(code === 0)))
}

const passed = await Promise.all(['raft', 'paxos'].map(run))
process.exit(passed.every(Boolean) ? 0 : 1)
