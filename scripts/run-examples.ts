/**
 * Runs every example as a program of its own and looks at how it ends: exit status 0, and `"ok":true` with `--json`.
 *
 *     node scripts/run-examples.ts                                      inside the process
 *     node scripts/run-examples.ts --engines synod,etcd,zookeeper,redis on real servers, which it starts
 */
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type EngineName, engineNames, startEngine } from './example-engines.ts'

const folder = join(import.meta.dirname, '..', 'examples')
/** Those that need no more than Redis has. */
const onRedis = new Set(['counter', 'flash-sale'])
const timeLimitMs = 60_000

interface Ending {
  readonly example: string
  readonly tookMs: number
  /** Undefined: it went well. */
  readonly failure: string | undefined
}

function run(example: string, connection: readonly string[]): Promise<Ending> {
  const startMs = performance.now()
  const args = ['--disable-warning=ExperimentalWarning', join(folder, example, 'main.ts'), ...connection, '--json']
  return new Promise((resolve) => {
    execFile(process.execPath, args, { timeout: timeLimitMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      const tookMs = Math.round(performance.now() - startMs)
      resolve({ example, tookMs, failure: failureOf(error, stdout, stderr) })
    })
  })
}

function failureOf(error: Error | null, stdout: string, stderr: string): string | undefined {
  if (error !== null) return `${error.message}\n${stdout}${stderr}`
  try {
    const { ok, checks } = JSON.parse(stdout) as { ok?: unknown; checks?: { holds: boolean }[] }
    if (ok === true && checks !== undefined && checks.length > 0) return undefined
  } catch {
    // Told below.
  }
  return `it did not tell that all is well:\n${stdout}${stderr}`
}

function tell(engine: string, { example, tookMs, failure }: Ending): boolean {
  console.log(`${failure === undefined ? 'ok    ' : 'FAILED'} ${example} on ${engine}, ${tookMs} ms`)
  if (failure !== undefined) console.log(failure)
  return failure === undefined
}

async function runOn(engine: EngineName, examples: readonly string[]): Promise<boolean> {
  const { connection, stop } = await startEngine(engine)
  try {
    let isGood = true
    for (const example of examples) {
      if (engine === 'redis' && !onRedis.has(example))
        console.log(`skipped ${example} on redis, which has no key space`)
      else isGood = tell(engine, await run(example, [connection])) && isGood
    }
    return isGood
  } finally {
    await stop()
  }
}

const { values } = parseArgs({ options: { engines: { type: 'string' } } })
const examples = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
let isGood = true
if (values.engines === undefined) {
  const endings = await Promise.all(examples.map((example) => run(example, [])))
  for (const ending of endings) isGood = tell('embedded', ending) && isGood
} else {
  for (const name of values.engines.split(',')) {
    const engine = engineNames.find((known) => known === name)
    if (engine === undefined) throw new Error(`--engines ${name}: there is ${engineNames.join(', ')}`)
    isGood = (await runOn(engine, examples)) && isGood
  }
}
if (!isGood) process.exitCode = 1
