/** What `synod lock` and `synod elect` share of their command line: NAME, flags, and after `--` the command. */
import { type ParsedArguments, parseArguments, wholeNumber } from '../arguments.ts'
import { endpointsOfEnvironment } from '../etcd-connection.ts'
import { CommandError } from '../output.ts'

export interface HoldArguments {
  readonly name: string
  readonly command: readonly string[]
  readonly connection: string
  /** Undefined: for ever. */
  readonly waitMs: number | undefined
  readonly ttlMs: number
  readonly graceMs: number
  readonly json: boolean
  readonly flags: ParsedArguments['flags']
}

const options = {
  connect: { type: 'string' },
  wait: { type: 'string' },
  ttl: { type: 'string' },
  grace: { type: 'string' },
  value: { type: 'string' },
  json: { type: 'boolean' },
} as const

/** Reads `NAME [flags] -- COMMAND [ARG…]`; throws a CommandError. `extra` names the flags that only this command knows. */
export function holdArguments(command: 'lock' | 'elect', args: readonly string[]): HoldArguments {
  const at = args.indexOf('--')
  const program = at === -1 ? [] : args.slice(at + 1)
  const { value, ...shared } = options
  const { flags, operands } = parseArguments(
    command,
    at === -1 ? args : args.slice(0, at),
    command === 'elect' ? { ...shared, value } : shared,
  )
  const [name, ...more] = operands
  if (name === undefined || name === '' || more.length > 0 || program.length === 0)
    throw new CommandError(`use: synod ${command} NAME -- COMMAND [ARGUMENT…]. See synod ${command} --help.`, 2)
  return {
    name,
    command: program,
    connection: connectionOf(flags['connect']),
    waitMs: millisecondsOf(flags, 'wait', undefined),
    ttlMs: millisecondsOf(flags, 'ttl', 10_000),
    graceMs: millisecondsOf(flags, 'grace', 5_000),
    json: flags['json'] === true,
    flags,
  }
}

/** --connect, else $SYNOD_CONNECT, else the cluster of $SYNOD_ENDPOINTS, else the one of this machine. */
export function connectionOf(flag: string | boolean | undefined): string {
  if (typeof flag === 'string') return flag
  const environment = process.env['SYNOD_CONNECT']
  if (environment !== undefined && environment !== '') return environment
  const endpoints = (endpointsOfEnvironment() ?? '127.0.0.1:2379').split(',')
  return `synod://${endpoints.map((endpoint) => endpoint.trim().replace(/^http:\/\//, '')).join(',')}`
}

function millisecondsOf<T>(flags: ParsedArguments['flags'], name: string, fallback: T): number | T {
  const text = flags[name]
  return typeof text === 'string' ? wholeNumber(name, text, 0, 86_400) * 1000 : fallback
}
