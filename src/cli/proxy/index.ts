/** synod proxy: finds the subcommand and runs it. */
import { CommandError } from '../output.ts'

export { proxyCommandHelp, proxyHelp } from './help.ts'

type Command = (args: readonly string[]) => Promise<void>

/** Loaded on demand: `synod proxy check` need not load a proxy. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.ts')).run,
  reload: async () => (await import('./admin.ts')).reload,
  drain: async () => (await import('./admin.ts')).drain,
  status: async () => (await import('./admin.ts')).status,
  check: async () => (await import('./check.ts')).check,
  import: async () => (await import('./import.ts')).importConfig,
  render: async () => (await import('./render.ts')).render,
  sync: async () => (await import('./sync.ts')).sync,
}

export async function proxy(args: readonly string[]): Promise<void> {
  const [name = '', ...rest] = args
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) {
    throw new CommandError(
      `${name === '' ? 'say what the proxy shall do' : `"${name}" is not a command of the proxy`}: ${Object.keys(commands).join(', ')}. See synod proxy --help.`,
      2,
    )
  }
  await (await load())(rest)
}
