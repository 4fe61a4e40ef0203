/**
 * What the examples share: the command line (`[connection] [--json]`), how they tell what happens, and how they end:
 * with exit status 1 when something that must hold does not.
 */
import { randomUUID } from 'node:crypto'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { type CommonPlane, type CoordinationPlane, connect } from '../src/client/index.ts'

/** What an example plays on. */
export interface Stage {
  /** The connection string: the first argument, or the example's default. */
  readonly connection: string
  /** Before all keys of this run, so that runs on a shared cluster never meet. */
  readonly namespace: string
  /** A whole number from the command line. */
  count(option: string): number
  /** Tells people; silent with `--json`. */
  say(text: string): void
  /** States what must hold. The example fails when it does not. */
  check(what: string, holds: boolean): void
}

interface Script {
  readonly name: string
  /** Where it runs when no connection string is given. */
  readonly connection: string
  /** Options that are numbers, with their defaults. */
  readonly counts?: Readonly<Record<string, number>>
  /** What it resolves to is told as JSON with `--json`. */
  play(stage: Stage): Promise<Readonly<Record<string, unknown>>>
}

/** Plays the example, and sets the exit status. */
export async function perform(script: Script): Promise<void> {
  const counts = script.counts ?? {}
  const { values, positionals } = readArguments(counts)
  const isJson = values['json'] === true
  const checks: { what: string; holds: boolean }[] = []
  const stage: Stage = {
    connection: positionals[0] ?? script.connection,
    namespace: `examples/${script.name}/${randomUUID()}/`,
    count: (option) => Number(values[option] ?? counts[option]),
    say: (text) => {
      if (!isJson) console.log(text)
    },
    check(what, holds) {
      checks.push({ what, holds })
      this.say(`${holds ? 'ok:' : 'NOT SO:'} ${what}`)
    },
  }
  // What failed may have left a connection open, which would keep the process alive.
  const facts = await script.play(stage).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
  const ok = checks.length > 0 && checks.every(({ holds }) => holds)
  if (isJson) console.log(JSON.stringify({ example: script.name, ok, checks, ...facts }))
  if (!ok) process.exitCode = 1
}

function readArguments(counts: Readonly<Record<string, number>>) {
  const options: NonNullable<ParseArgsConfig['options']> = { json: { type: 'boolean' } }
  for (const name of Object.keys(counts)) options[name] = { type: 'string' }
  return parseArgs({ options, allowPositionals: true })
}

/**
 * One connection, or several where there is a server: each stands for a process of its own. An engine inside this process
 * is one connection, which all share.
 */
export async function connectMany({ connection, namespace }: Stage, count: number): Promise<CommonPlane[]> {
  const isEmbedded = /^(embedded|memory):/.test(connection)
  return Promise.all(Array.from({ length: isEmbedded ? 1 : count }, () => connect(connection, { namespace })))
}

/**
 * A connection for what needs more than Redis has. The program computes the string, so it names the engines it is ready
 * for; `connect` refuses any other.
 */
export async function connectCoordination({ connection, namespace }: Stage): Promise<CoordinationPlane> {
  const scheme = connection.slice(0, connection.indexOf(':'))
  const engine = (scheme === 'memory' ? 'embedded' : scheme) as CoordinationPlane['engine']
  return connect(connection, { engine, namespace })
}

/** Deletes what the run left behind, and closes. */
export async function cleanUp(plane: CoordinationPlane): Promise<void> {
  // The namespace stands before this prefix: nothing else is touched.
  await plane.kv.deleteAll({ prefix: '' })
  await plane.close()
}
