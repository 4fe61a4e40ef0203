/**
 * No node outlives the harness. On every ordinary way out an exit handler kills them; when the harness itself is killed,
 * the kernel does it where `setpriv` can ask for that (Linux), also to a node that is stopped; elsewhere the closed
 * channel to its parent tells a running node to end.
 */
import type { ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'

const alive = new Set<ChildProcess>()
let watching = false

const setpriv =
  process.platform === 'linux' ? ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path)) : undefined

/** The command that runs `command` and dies with this process. It replaces itself, so its process id is the command's. */
export function dyingWithParent(command: readonly string[]): readonly string[] {
  return setpriv === undefined ? command : [setpriv, '--pdeathsig', 'KILL', '--', ...command]
}

/** Kills `child` when this process exits, unless it ended before. */
export function killAtExit(child: ChildProcess): void {
  if (!watching) {
    watching = true
    process.on('exit', () => {
      for (const each of alive) each.kill('SIGKILL')
    })
  }
  alive.add(child)
  child.once('exit', () => alive.delete(child))
}
