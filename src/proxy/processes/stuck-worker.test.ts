/** Real workers that do not answer any more. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { parseProxyConfig } from '../config/index.ts'
import { createWorkerOutside, startProcesses } from './index.ts'

const yaml = `
workers: 2
listeners:
  - { name: web, address: '127.0.0.1:0', routes: [{ path: /, respond: { status: 200, body: here } }] }
`

async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  while (!(await isTrue())) {
    assert.ok(performance.now() < deadlineMs, `it never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function isAlive(processId: number): boolean {
  try {
    return process.kill(processId, 0)
  } catch {
    return false
  }
}

test('a worker that is stopped is killed and replaced; the others are not', async (t) => {
  const parsed = parseProxyConfig(yaml, { file: 'proxy.yaml', processors: 2 })
  assert.ok(parsed.ok)
  const outside = createWorkerOutside({ logLevel: 'error', logFormat: 'json', registry: undefined })
  const lines: string[] = []
  const logger = {
    ...outside.logger,
    error: (message: string) => lines.push(message),
    info() {},
    warn() {},
    debug() {},
  }
  const options = { logLevel: 'error', logFormat: 'json', registry: undefined, silentMsMax: 3_000 } as const
  const proxy = await startProcesses(parsed.config, { ...outside, logger }, options)
  t.after(() => proxy.stop())
  const workers = async (): Promise<readonly number[]> =>
    (await proxy.status()).workers.filter(({ state }) => state === 'serving').map(({ processId }) => processId)
  const [victim, other] = await workers()
  process.kill(victim!, 'SIGSTOP')
  await until('it is dead', () => !isAlive(victim!))
  await until('another one is there', async () => (await workers()).length === 2)
  assert.ok((await workers()).includes(other!))
  assert.ok(!(await workers()).includes(victim!))
  assert.deepEqual(lines, ['a worker is stuck, or stopped: it is killed', 'a worker ended'])
})

test('a stopped worker whose acceptor was killed is killed too', async (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-guard-'))
  t.after(() => rmSync(folder, { recursive: true }))
  // A process with a guard and one "worker", which takes no notice of anything.
  const guard = pathToFileURL(join(import.meta.dirname, 'worker-guard.ts')).href
  const script = join(folder, 'acceptor.mjs')
  writeFileSync(
    script,
    `import { spawn } from 'node:child_process'
     const { WorkerGuard } = await import(${JSON.stringify(guard)})
     const guard = new WorkerGuard({ warn: console.error })
     const [gone, busy] = [1, 2].map(() => spawn('/bin/sh', ['-c', "trap '' TERM HUP; while :; do sleep 1; done"], { stdio: 'ignore' }))
     for (const each of [gone, busy]) guard.began(each.pid)
     gone.on('exit', () => { guard.ended(gone.pid); console.log(busy.pid) })
     gone.kill('SIGKILL')
     setInterval(() => {}, 1000)`,
  )
  const acceptor = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(acceptor.stdout, 'data')) as [Buffer]
  const busy = Number(line.toString())
  t.after(() => isAlive(busy) && process.kill(busy, 'SIGKILL'))
  acceptor.kill('SIGKILL')
  await once(acceptor, 'exit')
  assert.ok(isAlive(busy))
  await until('the busy one is dead', () => !isAlive(busy))
})
