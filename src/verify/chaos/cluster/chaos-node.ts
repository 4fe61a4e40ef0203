/**
 * One node of the cluster under test: a process that is killed, stopped, continued and started again on the same data.
 *
 * - N1  Signals go to the child's own process id, while it lives, and to nothing else.
 * - N2  A node that ends otherwise than by this harness's will is a finding: `onDeath` is told, with its last words.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { dyingWithParent, killAtExit } from './live-children.ts'

export interface ChaosNodeOptions {
  readonly name: string
  readonly clientUrl: string
  /** Where the relay to it listens: its address for the other nodes. */
  readonly peerUrl: string
  readonly dataDir: string
  readonly logPath: string
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly onDeath: (how: string, lastWords: string) => void
}

/** How long a node that was asked to end may take, in milliseconds. */
const stopTimeoutMs = 12_000

export class ChaosNode {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly dataDir: string
  readonly logPath: string
  private readonly options: ChaosNodeOptions
  private child: ChildProcess | undefined
  private exited: Promise<void> = Promise.resolve()
  /** The end of the present process is this harness's doing. */
  private endWanted = false
  private stopped = false
  private retired = false

  constructor(options: ChaosNodeOptions) {
    this.options = options
    this.name = options.name
    this.clientUrl = options.clientUrl
    this.peerUrl = options.peerUrl
    this.dataDir = options.dataDir
    this.logPath = options.logPath
  }

  get running(): boolean {
    return this.child !== undefined
  }

  /** Stopped by a signal, to be continued. */
  get isPaused(): boolean {
    return this.stopped
  }

  get pid(): number | undefined {
    return this.child?.pid
  }

  /** Starts the process unless it runs or is retired; does not wait until it serves. */
  start(): void {
    if (this.child !== undefined || this.retired) return
    const log = openSync(this.logPath, 'a')
    const [program, ...args] = dyingWithParent(this.options.command)
    // Settings come from the flags alone: a stray ETCD_ variable of the shell must not reach the nodes.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ETCD_')))
    const child = spawn(program!, args, { stdio: ['ignore', 'ignore', log, 'ipc'], env })
    closeSync(log)
    killAtExit(child)
    this.child = child
    this.endWanted = false
    this.stopped = false
    this.exited = new Promise((resolve) => {
      const ended = (how: string): void => {
        resolve()
        if (this.child !== child) return
        this.child = undefined
        this.stopped = false
        if (!this.endWanted) this.options.onDeath(how, this.lastWords())
      }
      child.once('error', (error) => ended(error.message))
      child.once('exit', (code, signal) => ended(signal ?? `exit status ${code}`))
    })
  }

  /** Ends it as a power cut would, but for what the kernel still holds; resolves when it is gone. */
  async kill(): Promise<void> {
    this.endWanted = true
    this.child?.kill('SIGKILL')
    await this.exited
  }

  /** Ends it for good. */
  async retire(): Promise<void> {
    this.retired = true
    await this.kill()
  }

  /** From now on the present process may end by itself. */
  allowEnd(): void {
    this.endWanted = true
  }

  /** Asks it to end, and kills it when it does not. Resolves with whether it ended by itself. */
  async stop(): Promise<boolean> {
    const child = this.child
    if (child === undefined) return true
    this.endWanted = true
    this.resume()
    child.kill('SIGTERM')
    let inOrder = true
    const timer = setTimeout(() => {
      inOrder = false
      child.kill('SIGKILL')
    }, stopTimeoutMs)
    await this.exited
    clearTimeout(timer)
    return inOrder
  }

  /** Stops its process where it stands, as an overloaded machine or a debugger does. */
  pause(): void {
    if (this.child === undefined) return
    this.stopped = true
    this.child.kill('SIGSTOP')
  }

  resume(): void {
    if (!this.stopped) return
    this.stopped = false
    this.child?.kill('SIGCONT')
  }

  /** The last line of its log, for a sentence. */
  lastWords(): string {
    const lines = readFileSync(this.logPath, 'utf8').split('\n')
    // The lines of a trace, and what Node says around it, tell less than the one above them.
    return readable(lines.findLast((line) => line !== '' && !/^(\s|[{}]$|Node\.js)/.test(line)) ?? '')
  }
}

const reasonLinesMax = 3

/** A log line without its JSON clothes, and of a trace only the top. */
function readable(line: string): string {
  try {
    const { message, reason } = JSON.parse(line) as { message?: string; reason?: string }
    const top = reason
      ?.split('\n', reasonLinesMax)
      .map((part) => part.trim())
      .join(' ')
    return [message, top].filter((part) => part !== undefined).join(': ')
  } catch {
    return line
  }
}
