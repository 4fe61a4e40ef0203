/** Starts the shop's processes, each as you would start it by hand, and ends them. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { nodeEnvironment } from '../../node-flags.mjs'

const folder = import.meta.dirname
const root = join(folder, '..', '..')
const synodCommand = join(root, 'synod')
/** In a clone types need not be stripped again at each start. */
const env = nodeEnvironment(root, process.env)
/** Those that still run: none outlives this process, however it ends. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM')
})

/** A process that has told that it serves. */
export interface ShopProcess {
  /** What it told, as JSON on a line of its own. */
  readonly told: Readonly<Record<string, unknown>>
  /** `SIGTERM` ends it in good order, `SIGKILL` is its death. Resolves when it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** One instance of a service: `service.ts` of this folder. */
export function startService(service: string, args: readonly string[]): Promise<ShopProcess> {
  const flags = ['--disable-warning=ExperimentalWarning', join(folder, `${service}.ts`)]
  return start([...flags, ...args], ({ port }) => port !== undefined)
}

/** A cluster of one node, on temporary data. */
export function startNode(): Promise<ShopProcess> {
  return start([synodCommand, 'up', '--nodes', '1', '--ephemeral', '--json'], ({ event }) => event === 'serving')
}

export function startProxy(config: string): Promise<ShopProcess> {
  return start([synodCommand, 'proxy', 'run', '--config', config, '--json'], ({ event }) => event === 'started')
}

function start(args: readonly string[], isReady: (told: ShopProcess['told']) => boolean): Promise<ShopProcess> {
  const child = spawn(process.execPath, args, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  running.add(child)
  const ended = once(child, 'exit').then(() => running.delete(child))
  let complaints = ''
  child.stderr.on('data', (text: Buffer) => {
    complaints = (complaints + text.toString()).slice(-10_000)
  })
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    child.kill(signal)
    await ended
  }
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const told = JSON.parse(line) as ShopProcess['told']
      if (isReady(told)) resolve({ told, end })
    })
    ended.then(() => reject(new Error(`${args.join(' ')} ended before it served:\n${complaints}`)))
  })
}
