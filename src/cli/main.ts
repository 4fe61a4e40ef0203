#!/usr/bin/env node
/** The synod command: finds the subcommand, runs it, and turns what goes wrong into one clear message. */
import { readFileSync } from 'node:fs'
import { helpTexts } from './help.ts'
import { CommandError, printLine } from './output.ts'

type Command = (args: readonly string[]) => Promise<void>

/** Loaded on demand: `synod put` need not load a server. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  up: async () => (await import('./up/index.ts')).up,
  node: async () => (await import('./node.ts')).node,
  recover: async () => (await import('./recover.ts')).recover,
  status: async () => (await import('./status.ts')).status,
  put: async () => (await import('./keys.ts')).put,
  get: async () => (await import('./keys.ts')).get,
  del: async () => (await import('./keys.ts')).del,
  watch: async () => (await import('./watch.ts')).watch,
  lease: async () => (await import('./lease.ts')).lease,
  member: async () => (await import('./member.ts')).member,
  copy: async () => (await import('./copy.ts')).copy,
  lock: async () => (await import('./hold/index.ts')).lock,
  elect: async () => (await import('./hold/index.ts')).elect,
  proxy: async () => (await import('./proxy/index.ts')).proxy,
  check: async () => (await import('./check.ts')).check,
  chaos: async () => (await import('./chaos.ts')).chaos,
  sim: async () => (await import('./sim.ts')).sim,
}

async function main(argv: readonly string[]): Promise<void> {
  const [name = '', ...args] = argv
  if (name === '--version' || name === 'version') {
    const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string
    }
    return printLine(`synod ${manifest.version}`)
  }
  if (name === '' || name === '--help' || name === '-h' || name === 'help') return printLine(helpOf(args))
  const load = commands[name]
  if (load === undefined) throw new CommandError(`"${name}" is not a command. synod --help lists them.`, 2)
  if (args.includes('--help') || args.includes('-h')) return printLine(helpOf(argv))
  await (await load())(args)
}

/** Of `proxy sync` where it has a text of its own, else of `proxy`. */
function helpOf([name = '', second = '']: readonly string[]): string {
  return helpTexts[`${name} ${second}`] ?? helpTexts[name] ?? helpTexts['']!
}

/** Errors whose message is meant for the one who typed the command; any other is a bug, shown with its trace. */
const expectedErrors = new Set([
  'CertificateError',
  'ConfigError',
  'DiskError',
  'ListenError',
  'WalError',
  'SnapshotError',
  'SealedFileError',
  'RestoreError',
  'SynodError',
  'TlsSettingsError',
])

/** A pipe that was closed (`synod get … | head`) ends the command quietly. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

main(process.argv.slice(2)).catch((error: unknown) => {
  const known = error instanceof CommandError || (error instanceof Error && expectedErrors.has(error.name))
  process.stderr.write(`synod: ${known ? (error as Error).message : ((error as Error)?.stack ?? String(error))}\n`)
  process.exit(
    error instanceof CommandError ? error.exitCode : (error as Error)?.name === 'ConfigError' ? 2 : known ? 1 : 70,
  )
})
