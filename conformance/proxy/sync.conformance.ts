// synod proxy sync with the real engines and a real node: instances of the registry come and go and the running engine
// follows, under light load and without a failed request; what it refuses or cannot load is taken back.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connect } from '../../src/client/index.ts'
import type { SyncReport } from '../../src/proxy/sync/index.ts'
import { type Cluster, startCluster } from '../cluster.ts'
import { requirePeer, skipWithout } from '../peers.ts'
import { until } from './proxy-process.ts'
import { ask, freePort, startEcho } from './rendered-engines.ts'

const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts')
const engines = ['nginx', 'haproxy'] as const
type Engine = (typeof engines)[number]

/** `synod proxy sync`, and what it reported. */
class Sync {
  readonly child: ChildProcess
  readonly reports: SyncReport[] = []
  errors = ''

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [main, 'proxy', 'sync', ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let rest = ''
    this.child.stdout!.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n')
      rest = lines.pop()!
      this.reports.push(...lines.map((line) => JSON.parse(line) as SyncReport))
    })
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString()
    })
  }

  count(result: SyncReport['result']): number {
    return this.reports.filter((report) => report.result === result).length
  }

  async end(): Promise<number | null> {
    if (this.child.exitCode !== null) return this.child.exitCode
    const exited = once(this.child, 'exit') as Promise<[number | null]>
    this.child.kill('SIGTERM')
    return (await exited)[0]
  }
}

/** Asks all the time, each time over a new connection; and looks at the engine's file meanwhile. */
class LightLoad {
  readonly failures: string[] = []
  /** What happens meanwhile. */
  phase = 'instances come and go'
  readonly texts = new Set<string>()
  readonly answers = new Map<string, number>()
  private isOver = false
  private readonly running: Promise<unknown>

  constructor(port: number, file: string) {
    const lane = async (): Promise<void> => {
      while (!this.isOver) {
        this.texts.add(readFileSync(file, 'utf8'))
        const outcome = await ask(port, { path: '/x' }).then(
          ({ status, body }) => (status === 200 ? (JSON.parse(body) as { name: string }).name : String(status)),
          (error: Error) => error.message,
        )
        this.answers.set(outcome, this.of(outcome) + 1)
        if (!/^[a-z]$/.test(outcome)) this.failures.push(`${this.phase}: ${outcome}`)
        await new Promise((next) => setTimeout(next, 2))
      }
    }
    this.running = Promise.all([lane(), lane()])
  }

  of(name: string): number {
    return this.answers.get(name) ?? 0
  }

  async stop(): Promise<void> {
    this.isOver = true
    await this.running
  }
}

function startEngineWith(engine: Engine, file: string, folder: string, pidFile: string): ChildProcess {
  const args =
    engine === 'nginx'
      ? ['-c', file, '-p', folder, '-g', 'daemon off; error_log stderr;']
      : ['-W', '-f', file, '-p', pidFile]
  return spawn(requirePeer(engine), args, { stdio: 'ignore' })
}

async function cli(...args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [main, 'proxy', ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  assert.equal(code, 0, errors)
}

describe('synod proxy sync', { skip: skipWithout(...engines), concurrency: true }, () => {
  let store: Cluster
  before(async () => {
    store = await startCluster({ kind: 'synod', nodes: 1 })
  })
  after(() => store.stop())

  for (const engine of engines) {
    test(engine, async (t) => {
      const undo: (() => unknown)[] = []
      try {
        await story(engine, `synod://${store.endpoints}`, undo, (line) => t.diagnostic(line))
      } finally {
        for (const step of undo.reverse()) await step()
      }
    })
  }
})

async function story(
  engine: Engine,
  registry: string,
  undo: (() => unknown)[],
  tell: (line: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), `synod-sync-${engine}-`))
  undo.push(() => rmSync(folder, { recursive: true, force: true }))
  const [file, pidFile, yaml] = [join(folder, 'engine.conf'), join(folder, 'pid'), join(folder, 'proxy.yaml')]
  const port = await freePort()
  const service = `app-${engine}`
  const configure = (more = '', listeners = ''): void =>
    writeFileSync(
      yaml,
      `registry: ${registry}\nlisteners: [{address: '127.0.0.1:${port}', routes: [${more} {to: app}]}${listeners}]\nupstreams: {app: {registry: ${service}}}\n`,
    )
  const echoes = new Map<string, Awaited<ReturnType<typeof startEcho>>>()
  for (const name of 'abcdefgh') echoes.set(name, await startEcho(name))
  undo.push(() => {
    for (const echo of echoes.values()) echo.close()
  })
  const plane = await connect(registry as `synod://${string}`)
  undo.push(() => plane.close())
  const register = (name: string) =>
    plane.registry.register({ service, id: name, address: '127.0.0.1', port: echoes.get(name)!.port })
  const a = await register('a')

  configure()
  await cli('render', engine, yaml, '-o', file, ...(engine === 'nginx' ? ['--pid-file', pidFile] : []))
  const running = startEngineWith(engine, file, folder, pidFile)
  undo.push(async () => {
    const exited = once(running, 'exit')
    if (running.kill('SIGTERM')) await exited
  })
  await until('the engine serves', async () => (await ask(port, { path: '/' }).catch(() => undefined))?.status === 200)
  await until('its pid file', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '')
  const args = [engine, '--config', yaml, '--out', file, '--pid-file', pidFile, '--program', requirePeer(engine)]
  const sync = new Sync(args)
  undo.push(() => sync.end())
  const load = new LightLoad(port, file)
  undo.push(() => load.stop())
  await until(`the first round: ${sync.errors}`, () => sync.reports.length > 0)
  assert.deepEqual(sync.reports, [{ result: 'unchanged' }], 'what was rendered by hand is what sync makes')

  // One comes.
  const b = await register('b')
  const startMs = performance.now()
  await until('b serves', () => load.of('b') > 0)
  tell(`a new instance served ${Math.round(performance.now() - startMs)} ms after it was registered`)

  // Many come, one after the other: a few reloads, not one each.
  await until('it is reported', () => sync.count('reloaded') === 1)
  for (const name of 'cdefgh') await register(name)
  await until('all serve', () => [...'cdefgh'].every((name) => load.of(name) > 0))
  await until('it is reported', () => sync.reports.length > 2)
  assert.ok(sync.count('reloaded') <= 3, `a burst of six: ${JSON.stringify(sync.reports)}`)

  // Some go: while they still run, no request fails.
  const reloaded = sync.count('reloaded')
  await a.close()
  await b.close()
  await until('they are out', () => {
    const text = readFileSync(file, 'utf8')
    return !text.includes(`:${echoes.get('a')!.port}`) && !text.includes(`:${echoes.get('b')!.port}`)
  })
  await until('the engine was reloaded', () => sync.count('reloaded') > reloaded)
  await until('a and b are asked no more', async () => {
    const before = load.of('a') + load.of('b')
    const goal = load.of('c') + 10
    await until('c is asked', () => load.of('c') >= goal)
    return load.of('a') + load.of('b') === before
  })

  load.phase = 'another configuration'
  // A wrong configuration changes nothing, and is told; a right one takes over.
  const good = readFileSync(file, 'utf8')
  configure('{path: x},')
  await until('what is wrong is told', () => sync.count('refused') === 1)
  assert.match(JSON.stringify(sync.reports.at(-1)), /path: is \\"x\\": must begin with/)
  assert.equal(readFileSync(file, 'utf8'), good)
  configure('{path: /hello, respond: {status: 200, body: hello}},')
  await until('it is served', async () => (await ask(port, { path: '/hello' })).body === 'hello')

  // An address that another has is refused before the engine is touched.
  await until('the engine was reloaded', () => sync.reports.at(-1)?.result === 'reloaded')
  const before = readFileSync(file, 'utf8')
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  undo.push(() => other.close())
  const taken = (other.address() as AddressInfo).port
  configure('{path: /hello, to: app},', `, {address: '127.0.0.1:${taken}', routes: [{to: app}]}`)
  await until('the address is refused', () => sync.count('refused') === 2)
  assert.match(JSON.stringify(sync.reports.at(-1)), /in use by another process/)
  assert.equal(readFileSync(file, 'utf8'), before)

  assert.equal(await sync.end(), 0, sync.errors)
  assert.deepEqual(engineFiles(folder), ['engine.conf'])

  // Of what the engine runs with at the start nothing is known: there the reload fails, and the one before is put back.
  load.phase = 'a reload that fails'
  const failing = new Sync(args)
  undo.push(() => failing.end())
  await until('it is rolled back', () => failing.reports.length > 0)
  const [{ result, ...told }] = failing.reports as [SyncReport]
  assert.equal(result, 'rolled-back')
  assert.ok(!('restored' in told), JSON.stringify(told))
  assert.equal(readFileSync(file, 'utf8'), before)
  assert.equal((await ask(port, { path: '/hello' })).body, 'hello')
  assert.equal(await failing.end(), 0)
  assert.deepEqual(engineFiles(folder), ['engine.conf'])

  // A round that was cut off between writing and loading is made up for at the next start.
  load.phase = 'after it'
  configure('{path: /hello, respond: {status: 200, body: hello}},')
  writeFileSync(`${file}.previous`, good)
  const again = new Sync(args)
  undo.push(() => again.end())
  await until('it is made up for', () => again.count('reloaded') === 1)
  assert.equal(await again.end(), 0)
  assert.deepEqual(engineFiles(folder), ['engine.conf'])

  await load.stop()
  // HAProxy closes its listeners for a moment when a new one cannot be opened.
  const failures = load.failures.filter((line) => engine === 'nginx' || !line.startsWith('a reload that fails'))
  assert.deepEqual(failures, [])
  for (const text of load.texts) assert.match(text, /^# Made by synod[\s\S]*\n$/)
  tell(
    `${[...load.answers.values()].reduce((sum, each) => sum + each, 0)} requests over ${load.texts.size} versions of the file`,
  )
}

const engineFiles = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('engine.conf'))
