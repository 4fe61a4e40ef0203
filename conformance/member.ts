// One server process of a cluster under test: started, signalled, restarted and stopped by its own process id.
//
// Invariants:
//   I1  No member outlives the process that started it: the kernel kills it when its parent dies (setpriv
//       --pdeathsig, where there is one), and an exit handler kills it on every ordinary way out.
//   I2  `pid` is the server's own process id, never a wrapper's: setpriv replaces itself by exec.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeEnvironment } from '../node-flags.mjs'

const repo = fileURLToPath(new URL('..', import.meta.url))

/** What is needed to start a member; the same again at every restart. */
export interface MemberOptions {
  readonly name: string
  readonly command: readonly string[]
  readonly clientUrl: string
  readonly peerUrl: string
  readonly dataDir: string
  readonly logFile: string
  readonly env: Readonly<Record<string, string>>
  /** Where the process starts; its relative paths count from here. */
  readonly cwd: string
}

/** How a member's process ended. */
export interface MemberExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const alive = new Set<ChildProcess>()
const setpriv = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => process.platform === 'linux' && existsSync(path))

function killAll(): void {
  for (const child of alive) child.kill('SIGKILL')
  alive.clear()
}
process.on('exit', killAll)
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => {
    killAll()
    process.exit(code)
  })
}

/** One server process. */
export class Member {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
  readonly dataDir: string
  readonly logFile: string
  readonly #options: MemberOptions
  #child: ChildProcess | undefined
  #exit: Promise<MemberExit> | undefined

  constructor(options: MemberOptions) {
    this.#options = options
    this.name = options.name
    this.clientUrl = options.clientUrl
    this.peerUrl = options.peerUrl
    this.dataDir = options.dataDir
    this.logFile = options.logFile
  }

  /** The client address as `host:port`. */
  get endpoint(): string {
    return new URL(this.clientUrl).host
  }

  get clientPort(): number {
    return Number(new URL(this.clientUrl).port)
  }

  /** The live process's id. Throws when the member is down. */
  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.name} is not running`)
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child !== undefined
  }

  /** Everything the member has logged since it was first started. */
  log(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : ''
  }

  /** Starts the process; does not wait until it serves. */
  start(): void {
    if (this.#child !== undefined) throw new Error(`${this.name} is already running`)
    const out = openSync(this.logFile, 'a')
    const command = setpriv === undefined ? [] : [setpriv, '--pdeathsig', 'KILL', '--']
    const [program, ...args] = [...command, ...this.#options.command]
    const child = spawn(program!, args, {
      cwd: this.#options.cwd,
      env: nodeEnvironment(repo, { ...process.env, ...this.#options.env }),
      stdio: ['ignore', out, out],
    })
    closeSync(out)
    // A member that a failed test forgot must not keep the test process waiting for it.
    child.unref()
    this.#child = child
    alive.add(child)
    this.#exit = new Promise((resolve, reject) => {
      child.once('error', (error) => {
        this.#forget(child)
        reject(error)
      })
      child.once('exit', (code, signal) => {
        this.#forget(child)
        resolve({ code, signal })
      })
    })
    this.#exit.catch(() => {})
  }

  #forget(child: ChildProcess): void {
    alive.delete(child)
    if (this.#child === child) this.#child = undefined
  }

  /** Sends a signal to the live process. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal)
  }

  /** Resolves when the process ends; at once when it never ran. */
  async exited(): Promise<MemberExit> {
    this.#child?.ref()
    return (await this.#exit) ?? { code: null, signal: null }
  }

  /** Kills the process and waits until it is gone; the data directory stays. */
  async crash(): Promise<void> {
    if (this.#child === undefined) return
    this.kill('SIGKILL')
    await this.exited()
  }

  /** Asks the process to end, and kills it when it has not after `timeoutMs`. */
  async stop(timeoutMs = 5_000): Promise<MemberExit> {
    if (this.#child !== undefined) {
      this.kill('SIGCONT')
      this.kill('SIGTERM')
      const timer = setTimeout(() => this.#child?.kill('SIGKILL'), timeoutMs)
      await this.exited()
      clearTimeout(timer)
    }
    return this.exited()
  }

  /** Ends the process, starts it on the same directory and waits until it serves. */
  async restart(): Promise<void> {
    await this.stop()
    this.start()
    await this.ready()
  }

  /** Waits until the member answers `/health` with true, which takes a leader. Throws with its log when it ends first. */
  async ready(timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs
    for (;;) {
      if (!this.running) throw new Error(`${this.name} ended before it served:\n${tail(this.log())}`)
      if (await healthy(`${this.clientUrl}/health`)) return
      if (Date.now() > deadline)
        throw new Error(`${this.name} does not serve after ${timeoutMs} ms:\n${tail(this.log())}`)
      await delay(20)
    }
  }
}

function healthy(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2_000 }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', () => resolve(false))
      response.on('end', () => resolve(response.statusCode === 200 && /"health"\s*:\s*"?true/.test(body)))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}

function tail(log: string): string {
  return log.split('\n').slice(-25).join('\n')
}
