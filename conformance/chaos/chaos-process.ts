// Runs the `synod chaos` command as users do.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeEnvironment, nodeFlags } from '../../node-flags.mjs'

export const repo = fileURLToPath(new URL('../..', import.meta.url))

/** What `--json` prints, as far as tests look at it. */
export interface ChaosResult {
  readonly verdict: 'valid' | 'invalid' | 'unknown'
  readonly directory: string
  readonly historyPath: string
  readonly workedSeconds: number
  readonly operations: { readonly ok: number; readonly failed: number; readonly unknown: number }
  readonly faults: readonly { readonly name: string; readonly words: readonly string[] }[]
  readonly leaderships: number
  readonly findings: readonly { readonly check: string; readonly verdict: string }[]
}

export interface ChaosExit {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A running command. It is killed with this process. */
export interface ChaosProcess {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly exited: Promise<ChaosExit>
}

export function startChaosCommand(args: readonly string[]): ChaosProcess {
  const entry = join(repo, 'src', 'cli', 'main.ts')
  // Not the launcher: a test that signals must hold the command's own process id.
  const child = spawn(join(repo, 'node_modules', '.bin', 'node'), [...nodeFlags, entry, 'chaos', ...args], {
    env: nodeEnvironment(repo, process.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const killWithParent = (): void => {
    child.kill('SIGKILL')
  }
  process.on('exit', killWithParent)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const exited = new Promise<ChaosExit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => {
      process.off('exit', killWithParent)
      resolve({ status, stdout, stderr })
    })
  })
  return { pid: child.pid!, kill: (signal) => child.kill(signal), exited }
}

export function runChaosCommand(args: readonly string[]): Promise<ChaosExit> {
  return startChaosCommand(args).exited
}
