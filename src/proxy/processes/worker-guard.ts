/**
 * Ends workers that outlive the acceptor because they are too busy to notice its end. A worker learns of that by an event,
 * and one in an endless loop gets none; so a shell waits beside the acceptor for the end of a pipe from it, which comes
 * however the acceptor dies, and kills what is left after the time that workers have to finish.
 *
 * G1. The shell knows each worker from its start to its end. While it waits to kill it looks every second who has ended, so
 *     that it never kills a stranger who was given the number of one.
 * G2. It keeps nothing alive: it ends at the end of the pipe, or as soon as no worker is left.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Logger } from '../../runtime/index.ts'

/** Without an acceptor nobody would start a worker again: what is under way in it gets this long. */
export const orphanDrainMs = 10_000
/** Beyond that, until one that has not ended is killed. */
const graceSeconds = 2

/** Reads `+ PID` and `- PID`, a line each. */
const script = `
trap '' INT TERM HUP QUIT USR1 USR2
pids=' '
while read -r change pid; do
  case $change in
    +) pids="$pids$pid " ;;
    -) pids="\${pids%% $pid *} \${pids#* $pid }" ;;
  esac
done
seconds=${orphanDrainMs / 1_000 + graceSeconds}
while [ "$seconds" -gt 0 ]; do
  left=' '
  for pid in $pids; do kill -0 "$pid" 2>/dev/null && left="$left$pid "; done
  pids=$left
  [ "$pids" = ' ' ] && exit
  sleep 1
  seconds=$((seconds - 1))
done
kill -9 $pids
`

export class WorkerGuard {
  private readonly logger: Logger
  private readonly workers = new Set<number>()
  private shell: ChildProcess | undefined

  constructor(logger: Logger) {
    this.logger = logger
  }

  began(processId: number): void {
    this.workers.add(processId)
    if (this.shell === undefined) this.start()
    else this.tell('+', processId)
  }

  ended(processId: number): void {
    if (!this.workers.delete(processId)) return
    this.tell('-', processId)
    if (this.workers.size > 0) return
    this.shell?.stdin?.end()
    this.shell = undefined
  }

  private start(): void {
    const shell = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] })
    this.shell = shell
    const lost = (reason: string): void => {
      if (this.shell !== shell) return
      this.shell = undefined
      this.logger.warn('nothing would end busy workers if this process were killed', { reason })
    }
    shell.on('error', (error) => lost(error.message))
    shell.on('exit', (code, signal) => lost(`the shell that does it ended: ${signal ?? `exit status ${code}`}`))
    shell.stdin?.on('error', () => {})
    shell.unref()
    for (const each of this.workers) this.tell('+', each)
  }

  private tell(change: '+' | '-', processId: number): void {
    this.shell?.stdin?.write(`${change} ${processId}\n`)
  }
}
