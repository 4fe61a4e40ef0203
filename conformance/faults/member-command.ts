// Runs `synod member` as people do, and reads what it prints with --json.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeFlags } from '../../node-flags.mjs'
import { type CommandResult, run } from './etcdctl.ts'

const repo = fileURLToPath(new URL('../..', import.meta.url))

/** Runs `synod ARGS`. */
export function synod(...args: readonly string[]): Promise<CommandResult> {
  const node = join(repo, 'node_modules', '.bin', 'node')
  return run(node, [...nodeFlags, join(repo, 'src', 'cli', 'main.ts'), ...args])
}

/** Runs `synod member ARGS --json` and returns its lines; throws when it fails. */
export async function memberCommand(endpoints: string, ...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const { code, stdout, stderr } = await synod('member', ...args, '--endpoints', endpoints, '--json')
  if (code !== 0) throw new Error(`synod member ${args.join(' ')}: ${stderr}`)
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

/** Makes room for a member; returns the --initial-cluster to start it with. */
export async function addMember(
  endpoints: string,
  name: string,
  peerUrl: string,
  ...flags: readonly string[]
): Promise<string> {
  const [added] = await memberCommand(endpoints, 'add', name, '--peer-urls', peerUrl, ...flags)
  const environment = added!['environment'] as Record<string, unknown>
  return String(environment['ETCD_INITIAL_CLUSTER'])
}
