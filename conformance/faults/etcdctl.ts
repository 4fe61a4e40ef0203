// Runs the real etcdctl 3.6 against members of a cluster.
import { spawn } from 'node:child_process'
import { requirePeer } from '../peers.ts'

export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export function etcdctl(endpoints: string, ...args: readonly string[]): Promise<CommandResult> {
  return run(requirePeer('etcdctl36'), [`--endpoints=${endpoints}`, ...args], { ETCDCTL_API: '3' })
}

/** Runs a program to its end. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.once('error', reject)
    child.once('close', (code) =>
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    )
  })
}
