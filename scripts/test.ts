/**
 * Runs the tests. `npm test`: types, lint, house rules, documents, examples, unit tests, and a smoke set against real
 * clients where they are installed. `npm run test:full` adds everything that continuous integration wants: simulated
 * worlds from fresh seeds, planted bugs, the client on real engines, and the conformance suite, fault tests and chaos on
 * both consensus algorithms. Real clients that are missing skip their tests with the command that installs them; with
 * SYNOD_REQUIRE_PEERS=1 a missing one fails. `--only TEXT`: the steps whose title contains it.
 */
import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const full = process.argv.includes('--full')
const onlyAt = process.argv.indexOf('--only')
const only = onlyAt === -1 ? '' : (process.argv[onlyAt + 1] ?? '')

interface Step {
  readonly title: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const bin = (name: string) => join(root, 'node_modules', '.bin', name)
const nodeTests = (title: string, patterns: readonly string[], options: readonly string[] = []): Step[] => {
  const files = patterns.flatMap((pattern) => globSync(pattern, { cwd: root })).sort()
  if (files.length === 0) return []
  return [
    {
      title,
      command: process.execPath,
      args: [
        '--disable-warning=ExperimentalWarning',
        '--test',
        '--test-reporter=dot',
        '--test-reporter-destination=stdout',
        '--test-reporter=spec',
        '--test-reporter-destination=stderr',
        ...options,
        ...files,
      ],
    },
  ]
}

/** The same tests, with clusters that run on Multi-Paxos. */
const onPaxos = (steps: readonly Step[]): Step[] =>
  steps.map((step) => ({ ...step, title: `${step.title}, on Paxos`, env: { SYNOD_CONFORMANCE_CONSENSUS: 'paxos' } }))

/** A failed test must not leave the run waiting for a server or a client that it forgot. */
const real = ['--test-force-exit', '--test-timeout=300000']

const quick: Step[] = [
  { title: 'types', command: bin('tsc'), args: ['-p', '.'] },
  { title: 'lint', command: bin('biome'), args: ['check', '--error-on-warnings', '.'] },
  { title: 'house rules', command: process.execPath, args: ['scripts/check-house.ts'] },
  { title: 'API reference is current', command: process.execPath, args: ['scripts/api-reference.ts', '--check'] },
  { title: 'snippets of the documents', command: process.execPath, args: ['scripts/check-docs.ts'] },
  { title: 'examples', command: process.execPath, args: ['scripts/run-examples.ts'] },
  ...nodeTests('unit tests', ['src/**/*.test.ts', 'scripts/*.test.ts', 'bench/**/*.test.ts']),
  ...nodeTests('real clients, smoke', ['conformance/smoke.conformance.ts'], [...real, '--test-concurrency=1']),
]

const realClients = nodeTests('real clients', ['conformance/*.conformance.ts'], [...real, '--test-concurrency=2'])
const clientEngines = nodeTests(
  'the client on real engines',
  ['conformance/client/*.conformance.ts'],
  [...real, '--test-concurrency=2'],
)
const traffic = nodeTests(
  'traffic with real peers',
  ['conformance/proxy/*.conformance.ts', 'conformance/rpc/*.conformance.ts'],
  [...real, '--test-concurrency=2'],
)
const faults = nodeTests(
  'faults on real processes',
  ['conformance/faults/*.conformance.ts'],
  [...real, '--test-concurrency=1'],
)

const everything: Step[] = [
  { title: 'simulated worlds, fresh seeds', command: process.execPath, args: ['scripts/sim.ts'] },
  { title: 'planted bugs', command: process.execPath, args: ['src/cli/main.ts', 'sim', '--plant', 'all'] },
  ...realClients,
  ...onPaxos(realClients),
  ...traffic,
  ...clientEngines,
  {
    title: 'examples on real engines',
    command: process.execPath,
    args: ['scripts/run-examples.ts', '--engines', 'synod,etcd,zookeeper,redis'],
  },
  {
    title: 'snippets of the documents on real engines',
    command: process.execPath,
    args: ['scripts/check-docs.ts', '--engines', 'synod,etcd,zookeeper,redis'],
  },
  ...nodeTests('bad input', ['conformance/bad-input/*.conformance.ts'], [...real, '--test-concurrency=1']),
  ...faults,
  ...onPaxos(faults),
  // Each test has a time limit of its own: they run for as long as SYNOD_CHAOS_SECONDS says.
  ...nodeTests('chaos', ['conformance/chaos/*.conformance.ts'], ['--test-force-exit', '--test-concurrency=1']),
  { title: 'the package, installed', command: process.execPath, args: ['scripts/check-package.ts'] },
]

const steps = (full ? everything : quick).filter(({ title }) => title.includes(only))
if (steps.length === 0) throw new Error(`no step's title contains "${only}"`)
for (const { title, command, args, env } of steps) {
  const startMs = performance.now()
  process.stdout.write(`\n== ${title}\n`)
  const { status, signal } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1)
  if (status !== 0) {
    process.stdout.write(`\n== ${title}: FAILED after ${seconds} s (${signal ?? `exit status ${status}`})\n`)
    process.exit(1)
  }
  process.stdout.write(`== ${title}: passed in ${seconds} s\n`)
}
