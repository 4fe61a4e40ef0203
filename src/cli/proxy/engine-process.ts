/** A running nginx or HAProxy as sync deals with it: its own check, its file, its reload. */
import { spawn } from 'node:child_process'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SyncTarget } from '../../proxy/sync/index.ts'
import type { Engine } from './render.ts'

export interface EngineProcess {
  readonly engine: Engine
  /** The engine's program, for its check. */
  readonly program: string
  /** The configuration file it runs with. */
  readonly file: string
  /** A shell command that reloads; its exit status tells whether it did. */
  readonly reloadCommand: string | undefined
  /** The process id of the nginx master, or of the HAProxy master (`-W`). */
  readonly pidFile: string | undefined
}

/** A check or a reload that takes longer has failed. */
const commandMsMax = 30_000
const outputBytesMax = 64 * 1024
const reloadMsMax = 10_000
/** A new worker that lives this long has started well. */
const settledMs = 300

/**
 * Beside the file stand, for a moment, `FILE.candidate` (being checked), `FILE.new` (about to take its place), and
 * `FILE.previous`: what was there before, until the engine has loaded the new one; empty when there was no file.
 */
export function engineTarget(engine: EngineProcess): SyncTarget {
  return {
    read: async () => {
      const previous = await textOf(`${engine.file}.previous`)
      if (previous === undefined) return { text: await textOf(engine.file), isCertain: true }
      return { text: previous === '' ? undefined : previous, isCertain: false }
    },
    validate: (text) => validate(engine, text),
    write: (text) =>
      told(() => (text === undefined ? rm(engine.file, { force: true }) : replaceFile(engine.file, text))),
    reload: () =>
      engine.reloadCommand === undefined ? bySignal(engine) : run('/bin/sh', ['-c', engine.reloadCommand]),
    loaded: () => rm(`${engine.file}.previous`, { force: true }),
  }
}

/** Undefined when there is no such file. */
async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** The check runs on a file beside the real one, so that relative paths mean the same. */
async function validate(engine: EngineProcess, text: string): Promise<string | undefined> {
  const candidate = `${engine.file}.candidate`
  try {
    await writeThrough(candidate, text, await modeOf(engine.file))
    const args = engine.engine === 'nginx' ? ['-t', '-q', '-c', candidate] : ['-c', '-q', '-f', candidate]
    const problem = await run(engine.program, args)
    return problem === undefined ? undefined : `${engine.engine} refuses it: ${problem}`
  } catch (error) {
    return (error as Error).message
  } finally {
    await rm(candidate, { force: true })
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const [fresh, previous, mode] = [`${file}.new`, `${file}.previous`, await modeOf(file)]
  // One that is there tells of an earlier round, whose outcome is not known: it stays the one to return to.
  if ((await textOf(previous)) === undefined) {
    await writeThrough(fresh, (await textOf(file)) ?? '', mode)
    await rename(fresh, previous)
  }
  await writeThrough(fresh, text, mode)
  await rename(fresh, file)
  const folder = await open(dirname(file), 'r')
  await folder.sync().finally(() => folder.close())
}

/** That of the file, which may be readable by few. */
async function modeOf(file: string): Promise<number> {
  const found = await stat(file).catch(() => undefined)
  return found === undefined ? 0o644 : found.mode & 0o777
}

async function writeThrough(file: string, text: string, mode: number): Promise<void> {
  await rm(file, { force: true })
  const handle = await open(file, 'wx', mode)
  try {
    await handle.chmod(mode)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function told(step: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await step()
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

/**
 * nginx: SIGHUP; HAProxy's master: SIGUSR2. Both go on with the old workers when the new configuration cannot be loaded,
 * so a reload has happened when a worker runs that did not before, and still does a moment later. That is seen in `/proc`;
 * where there is none, a living master is all that is asked.
 */
async function bySignal(engine: EngineProcess): Promise<string | undefined> {
  if (engine.pidFile === undefined) return undefined
  const pid = Number(await readFile(engine.pidFile, 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid <= 1) return `${engine.pidFile} names no process: is ${engine.engine} running?`
  const before = await childrenOf(pid)
  try {
    process.kill(pid, engine.engine === 'nginx' ? 'SIGHUP' : 'SIGUSR2')
  } catch (error) {
    return `process ${pid} of ${engine.pidFile} cannot be told to reload: ${(error as Error).message}`
  }
  if (before === undefined) return isAlive(pid) ? undefined : `process ${pid} ended at the reload`
  for (const deadline = Date.now() + reloadMsMax; Date.now() < deadline; await sleep(50)) {
    const fresh = [...((await childrenOf(pid)) ?? [])].filter((child) => !before.has(child))
    if (fresh.length === 0) continue
    await sleep(settledMs)
    const now = await childrenOf(pid)
    if (fresh.some((child) => now?.has(child) === true)) return undefined
  }
  return `${engine.engine} started no worker with the new configuration: see its error log`
}

async function childrenOf(pid: number): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(
      (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter((child) => child !== ''),
    )
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Undefined when the program ends with 0, else what it said. */
function run(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: commandMsMax })
    let output = ''
    const take = (chunk: Buffer): void => {
      if (output.length < outputBytesMax) output += chunk.toString('utf8')
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    child.on('error', (error) => resolve(`${program} cannot be started: ${error.message}`))
    child.on('close', (code, signal) =>
      resolve(code === 0 ? undefined : output.trim() || `${program} ended with ${signal ?? `status ${code}`}`),
    )
  })
}
