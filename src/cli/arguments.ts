/** Flags of the commands for people. (`synod node` takes etcd's settings: see node/config.) */
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { CommandError } from './output.ts'

export interface ParsedArguments {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>
  readonly operands: readonly string[]
}

/** Reads `args` by `options`; a mistake becomes a CommandError that names the command's help. */
export function parseArguments(
  command: string,
  args: readonly string[],
  options: NonNullable<ParseArgsConfig['options']>,
): ParsedArguments {
  try {
    const parsed = parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
    return {
      flags: parsed.values as Readonly<Record<string, string | boolean | undefined>>,
      operands: parsed.positionals,
    }
  } catch (error) {
    // Node goes on with advice in sentences and lines of its own; the help that is named says it better.
    const message = (error as Error).message.split(/\.(?:\s|$)/)[0]!
    throw new CommandError(`${message}. See synod ${command} --help.`, 2)
  }
}

/** A whole number given as a flag. */
export function wholeNumber(name: string, text: string, min: number, max: number): number {
  return wholeNumberOf(`--${name}`, text, min, max)
}

/** A whole number of whatever the message shall call `what`. */
export function wholeNumberOf(what: string, text: string, min: number, max: number): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max))
    throw new CommandError(`${what} is "${text}"; it must be a whole number from ${min} to ${max}.`, 2)
  return value
}
