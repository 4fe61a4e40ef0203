import { spawn } from 'node:child_process'
import type { CommandEnd, Commands } from '../index.ts'

/** Of what a command writes, so much of the end is kept. */
const outputCharsMax = 4096
const detailCharsMax = 200
/** After its end, so long for what it wrote to arrive. */
const lastWordsMs = 100

/** Runs programs as children of this process, each in a process group of its own. */
export class NodeCommands implements Commands {
  run(command: readonly string[], signal: AbortSignal): Promise<CommandEnd> {
    const [program, ...rest] = command
    if (program === undefined || program === '') return Promise.resolve({ status: undefined, detail: 'no command' })
    if (signal.aborted) return Promise.resolve({ status: undefined, detail: 'it was given up' })
    return new Promise((resolve) => {
      let output = ''
      // A group of its own, so that what a script started ends with it.
      const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      const keep = (text: string): void => {
        output = (output + text).slice(-outputCharsMax)
      }
      const kill = (): void => {
        if (child.pid !== undefined) killGroup(child.pid)
      }
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', keep)
      signal.addEventListener('abort', kill, { once: true })
      child.once('error', (error) => {
        signal.removeEventListener('abort', kill)
        resolve({ status: undefined, detail: error.message })
      })
      child.once('exit', (status, killedBy) => {
        signal.removeEventListener('abort', kill)
        const finish = (): void => {
          clearTimeout(lastWords)
          const detail = killedBy === null ? lastLine(output) : `it was ended by ${killedBy}`
          resolve({ status: status ?? undefined, detail })
          child.stdout.destroy()
          child.stderr.destroy()
        }
        // A grandchild may keep the pipes open for ever.
        const lastWords = setTimeout(finish, lastWordsMs)
        child.once('close', finish)
      })
    })
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended meanwhile.
  }
}

function lastLine(output: string): string {
  return (output.trimEnd().split('\n').at(-1) ?? '').slice(0, detailCharsMax)
}
