/** One node of a local cluster: a process that is started again, with back-off, whenever it dies. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export interface NodeProcessOptions {
  readonly name: string
  readonly args: readonly string[]
  /** Where its standard error goes. */
  readonly logPath: string
  readonly onExit: (exit: {
    readonly how: string
    readonly restartInMs: number | undefined
    readonly lastWords: string
  }) => void
  readonly onStart: (pid: number) => void
}

const backOffMsMin = 100
const backOffMsMax = 5000
/** A node that ran for so long starts again without delay. */
const settledMs = 10_000
/** Wrong settings stay wrong, and a member that was removed stays removed: see `../node.ts`. */
const fatalExitCodes = new Set([2, 3])
/** A node that dies so often before it ever settled is given up. */
const earlyDeathsMax = 5

export class NodeProcess {
  private readonly options: NodeProcessOptions
  private child: ChildProcess | undefined
  private stopping = false
  private backOffMs = backOffMsMin
  private startedAtMs = 0
  private earlyDeaths = 0
  private restartTimer: NodeJS.Timeout | undefined

  constructor(options: NodeProcessOptions) {
    this.options = options
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  /** False once the node was given up. */
  get wanted(): boolean {
    return this.child !== undefined || this.restartTimer !== undefined
  }

  start(): void {
    this.restartTimer = undefined
    mkdirSync(dirname(this.options.logPath), { recursive: true })
    const log = openSync(this.options.logPath, 'a')
    const main = fileURLToPath(new URL(`../main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))
    // Settings come from the flags alone: a stray ETCD_ variable of the shell must not reach the nodes.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')))
    const child = spawn(process.execPath, [...process.execArgv, main, 'node', ...this.options.args], {
      stdio: ['ignore', 'ignore', log, 'ipc'],
      env,
    })
    closeSync(log)
    this.child = child
    this.startedAtMs = performance.now()
    child.once('spawn', () => this.options.onStart(child.pid!))
    child.once('error', (error) => this.onExit(error.message))
    child.once('exit', (code, signal) => this.onExit(signal ?? `exit status ${code}`, code ?? undefined))
  }

  /** Asks the node to end and waits for it; a node that does not is killed. */
  stop(): Promise<void> {
    this.stopping = true
    clearTimeout(this.restartTimer)
    this.restartTimer = undefined
    const child = this.child
    if (child === undefined) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = setTimeout(() => child.kill('SIGKILL'), 12_000)
      child.once('exit', () => {
        clearTimeout(timer)
        resolve()
      })
      child.kill('SIGTERM')
    })
  }

  private onExit(how: string, code?: number): void {
    if (this.child === undefined) return
    this.child = undefined
    if (this.stopping) return
    const settled = performance.now() - this.startedAtMs > settledMs
    if (settled) this.backOffMs = backOffMsMin
    this.earlyDeaths = settled || code === undefined ? 0 : this.earlyDeaths + 1
    const giveUp = (code !== undefined && fatalExitCodes.has(code)) || this.earlyDeaths >= earlyDeathsMax
    const restartInMs = giveUp ? undefined : this.backOffMs
    if (restartInMs !== undefined) {
      this.backOffMs = Math.min(this.backOffMs * 2, backOffMsMax)
      this.restartTimer = setTimeout(() => this.start(), restartInMs)
    }
    this.options.onExit({ how, restartInMs, lastWords: lastLine(this.options.logPath) })
  }
}

/** The last line of a log file that says something, for the one who has to act on it. */
function lastLine(path: string): string {
  try {
    const size = statSync(path).size
    const text = readFileSync(path, 'utf8').slice(-Math.min(size, 8192))
    return (
      text
        .split('\n')
        .filter((line) => line.trim() !== '')
        .at(-1) ?? ''
    )
  } catch {
    return ''
  }
}
