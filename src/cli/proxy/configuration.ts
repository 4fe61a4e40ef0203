/** Reading the configuration file of the proxy for the commands. */
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { formatProblem, type ParsedConfig, type ProxyConfig, parseProxyConfig } from '../../proxy/config/index.ts'
import { CommandError } from '../output.ts'

/** The file's text; a file that cannot be read becomes a clear message. */
export function readConfigFile(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`)
  }
}

/** Reads and validates, certificates and keys included. */
export function parseConfigFile(file: string): ParsedConfig {
  return parseProxyConfig(readConfigFile(file), {
    // Paths in it are meant from its folder, wherever what is made of it will stand.
    file: resolve(file === '-' ? 'stdin' : file),
    processors: availableParallelism(),
    checkFiles: { read: (path) => readFileSync(path, 'utf8'), nowMs: Date.now() },
  })
}

/** The configuration, its warnings on standard error; when it is wrong, a CommandError that tells all of it. */
export function loadConfig(file: string): ProxyConfig {
  const parsed = parseConfigFile(file)
  if (!parsed.ok) throw new CommandError(parsed.problems.map((problem) => formatProblem(file, problem)).join('\n'))
  for (const warning of parsed.warnings) process.stderr.write(`${formatProblem(file, warning)} (warning)\n`)
  return parsed.config
}

/** To the file that `-o` names; without one, or for `-`, to standard output. */
export function writeOutput(file: string | boolean | undefined, text: string): void {
  if (typeof file !== 'string' || file === '-') process.stdout.write(text)
  else writeFileSync(file, text)
}
