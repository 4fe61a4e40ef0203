/** Runs the command that a lock or leadership is held for. */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { CommandError } from '../output.ts'

/** How a child ended: with its exit status, or the status that shells give for a signal. */
export interface ChildEnd {
  readonly status: number
  /** It was asked to end because `lost` fired. */
  readonly stopped: boolean
}

/** A command that cannot be started: what shells exit with. */
const notFoundStatus = 127
const notExecutableStatus = 126

/**
 * Runs `command` with the terminal's input and output and `environment` added to ours, and waits for its end. Once `lost`
 * fires it gets SIGTERM and, `graceMs` later, SIGKILL. SIGINT, SIGTERM and SIGHUP that come to us are handed on.
 */
export function runChild(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
  lost: AbortSignal,
  graceMs: number,
): Promise<ChildEnd> {
  const [program = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...environment } })
    let killTimer: NodeJS.Timeout | undefined
    const onLost = (): void => {
      child.kill('SIGTERM')
      killTimer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    }
    const handOn = (signal: NodeJS.Signals): void => {
      child.kill(signal)
    }
    const settle = (): void => {
      clearTimeout(killTimer)
      lost.removeEventListener('abort', onLost)
      for (const signal of handedOn) process.removeListener(signal, handOn)
    }
    for (const signal of handedOn) process.on(signal, handOn)
    if (lost.aborted) onLost()
    else lost.addEventListener('abort', onLost)
    child.once('error', (error: NodeJS.ErrnoException) => {
      settle()
      const status = error.code === 'ENOENT' ? notFoundStatus : notExecutableStatus
      reject(new CommandError(`cannot run "${program}": ${error.message}`, status))
    })
    child.once('exit', (code, signal) => {
      settle()
      const status = code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0)
      resolve({ status, stopped: lost.aborted })
    })
  })
}

const handedOn: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP']
