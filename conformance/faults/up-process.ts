// `synod up` as a child process in a group of its own, as a terminal starts it, and what it prints.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './rpc.ts'

const repo = fileURLToPath(new URL('../..', import.meta.url))
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) signalGroup(child, 'SIGKILL')
})

/** One line of `synod up --json`. */
export type UpEvent = Readonly<Record<string, unknown>>

export class UpProcess {
  readonly pid: number
  stdout = ''
  stderr = ''
  readonly #child: ChildProcess
  readonly #ended: Promise<number | null>

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const main = join(repo, 'src', 'cli', 'main.ts')
    const node = join(repo, 'node_modules', '.bin', 'node')
    this.#child = spawn(node, ['--disable-warning=ExperimentalWarning', main, 'up', ...args], {
      detached: true,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.pid = this.#child.pid!
    alive.add(this.#child)
    this.#child.stdout!.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()))
    this.#child.stderr!.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()))
    this.#ended = new Promise((resolve) =>
      this.#child.once('close', (code) => {
        alive.delete(this.#child)
        resolve(code)
      }),
    )
  }

  /** The `--json` lines so far. */
  get events(): UpEvent[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as UpEvent)
  }

  eventsOf(event: string): UpEvent[] {
    return this.events.filter((each) => each['event'] === event)
  }

  /** Waits until there are so many events of a kind. */
  async waitFor(event: string, count: number): Promise<UpEvent[]> {
    return until(`${count} × ${event} of synod up`, async () => {
      const found = this.eventsOf(event)
      if (found.length < count && this.#child.exitCode !== null)
        throw new Error(`synod up ended: ${this.stdout}${this.stderr}`)
      return found.length >= count ? found : undefined
    })
  }

  /** What Ctrl-C does: the signal goes to all processes of the group. */
  interrupt(): void {
    signalGroup(this.#child, 'SIGINT')
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves with the exit code. */
  ended(): Promise<number | null> {
    return this.#ended
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // The group is gone already.
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
