/**
 * Packs the package, installs the tarball into an empty folder, type-checks a program against it with the strictest
 * settings, and runs that program and the command on the oldest and the newest Node that are supported.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const oldestNode = '22.18.0'
const folder = mkdtempSync(join(tmpdir(), 'synod-package-'))

/** A user's program: coordinates inside its process, then starts a node on free ports, looks that it answers, stops it. */
const program = `
import { connect, SynodError } from 'synod'
import { createBalancer } from 'synod/balance'
import { PhiAccrualDetector } from 'synod/health'
import { jumpHash } from 'synod/ring'
import { createClient, createServer, defineService, implement, unary } from 'synod/rpc'
import { createNodeRuntime, readNodeConfig, startNode, type RunningNode } from 'synod/node'
import { defaultPaxosOptions } from 'synod/paxos'
import { createFenceTable } from 'synod/postgres'
import { defaultRaftOptions } from 'synod/raft'

const synod = await connect('embedded:' + (process.argv[2] ?? 'data') + '-embedded')
const token: number = await synod.lock('x').run({ waitMs: 5_000 }, (held) => held.fencingToken)
if (!(token > 0) || (await synod.counter('runs').increment()) !== 1) throw new Error('no token, or a counter that miscounts')
const refused: unknown = await connect('redis://127.0.0.1:1').catch((error: unknown) => error)
if (!(refused instanceof SynodError) || !refused.message.includes('npm install ioredis')) throw refused
if (!createFenceTable().includes('CREATE TABLE')) throw new Error('no SQL')
if (new PhiAccrualDetector().phi(0) !== 0) throw new Error('suspicion without a heartbeat')
await synod.close()

const args = ['--data-dir', process.argv[2] ?? 'data', '--listen-client-urls', 'http://127.0.0.1:0', '--listen-peer-urls', 'http://127.0.0.1:0']
const config = readNodeConfig({ args, environment: {}, readFile: () => '' })
const runtime = createNodeRuntime({ logLevel: 'error' })
const node: RunningNode = await startNode(config, runtime, {
  onFailure: (error) => { throw error },
  processId: process.pid,
  processMetrics: () => ({}),
})
const port = node.clientAddresses[0]?.port ?? 0
const deadline = Date.now() + 10_000
for (;;) {
  const response = await fetch('http://127.0.0.1:' + port + '/health')
  if (response.ok) break
  if (Date.now() > deadline) throw new Error('not healthy: ' + (await response.text()))
  await new Promise((resolve) => setTimeout(resolve, 50))
}
await node.stop()
console.log('healthy on', process.version, 'with heartbeats every', defaultRaftOptions.heartbeatTicks, 'ticks, or', defaultPaxosOptions.heartbeatTicks)
`

function run(command: string, args: readonly string[], cwd = folder): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

async function main(): Promise<void> {
  run('npm', ['run', '--silent', 'build'], root)
  const tarball = run('npm', ['pack', '--silent', '--pack-destination', folder], root).trim().split('\n').at(-1)!
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }))
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', join(folder, tarball), '@types/node@22', 'typescript'])
  const strict = [
    '--strict',
    '--noEmit',
    '--skipLibCheck',
    'false',
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
  ]
  writeFileSync(join(folder, 'program.ts'), program)
  run(join(folder, 'node_modules', '.bin', 'tsc'), [...strict, 'program.ts'])
  const oldest = join(folder, 'oldest')
  mkdirSync(oldest)
  writeFileSync(join(oldest, 'package.json'), JSON.stringify({ private: true, allowScripts: { node: true } }))
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', `node@${oldestNode}`], oldest)
  for (const node of [join(oldest, 'node_modules', 'node', 'bin', 'node'), process.execPath]) {
    const flags = ['--disable-warning=ExperimentalWarning', '--experimental-strip-types']
    process.stdout.write(run(node, [...flags, 'program.ts', join(folder, `data-${process.hrtime.bigint()}`)]))
    await runUp(node)
    await runProxy(node)
  }
}

/** `synod up` from the installed package, until it serves. */
function runUp(node: string): Promise<void> {
  const launcher = join(folder, 'node_modules', 'synod', 'synod')
  const data = join(folder, `up-${process.hrtime.bigint()}`)
  const child = spawn(node, [launcher, 'up', '--nodes', '1', '--data', data, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    let served = false
    child.stdout.on('data', (chunk: Buffer) => {
      if (served || !chunk.toString().includes('"serving"')) return
      served = true
      child.kill('SIGTERM')
    })
    child.on('exit', () => {
      clearTimeout(timer)
      if (served) resolve()
      else reject(new Error('synod up from the installed package did not serve'))
    })
  })
}

/** `synod proxy run` with two workers from the installed package: it answers, reloads and drains. */
async function runProxy(node: string): Promise<void> {
  const launcher = join(folder, 'node_modules', 'synod', 'synod')
  const file = join(folder, 'proxy.yaml')
  const config = (body: string): string =>
    `workers: 2
admin: 127.0.0.1:0
listeners:
  - { name: web, address: '127.0.0.1:0', protocol: http, routes: [{ path: /, respond: { status: 200, body: ${body} } }] }
`
  writeFileSync(file, config('one'))
  const child = spawn(node, [launcher, 'proxy', 'run', '--config', file, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
  const started = await new Promise<string>((resolve) => {
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes('\n')) resolve(text.split('\n')[0]!)
    })
    child.on('exit', () => resolve(''))
  })
  if (started === '') throw new Error('synod proxy run from the installed package did not start')
  const { listeners, workers, admin } = JSON.parse(started) as {
    readonly listeners: readonly { readonly port: number }[]
    readonly workers: readonly unknown[]
    readonly admin: { readonly port: number }
  }
  const ask = async (): Promise<string> => (await fetch(`http://127.0.0.1:${listeners[0]!.port}/`)).text()
  const first = await ask()
  writeFileSync(file, config('two'))
  const reloaded = await fetch(`http://127.0.0.1:${admin.port}/reload`, { method: 'POST' })
  const second = await ask()
  child.kill('SIGTERM')
  const status = await ended
  clearTimeout(timer)
  if (workers.length !== 2 || first !== 'one' || reloaded.status !== 200 || second !== 'two' || status !== 0)
    throw new Error(`synod proxy run: ${workers.length} workers, ${first}, ${reloaded.status}, ${second}, ${status}`)
}

try {
  await main()
  console.log('the packed package installs, type-checks and runs')
} finally {
  rmSync(folder, { recursive: true, force: true })
  rmSync(join(root, 'dist'), { recursive: true, force: true })
}
