/** synod proxy import nginx: an nginx configuration as ours. */
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { formatNotes, type ImportResult, importNginx } from '../../proxy/import/index.ts'
import { parseArguments } from '../arguments.ts'
import { CommandError, printJson } from '../output.ts'
import { writeOutput } from './configuration.ts'

export async function importConfig(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('proxy', args, {
    output: { type: 'string', short: 'o' },
    json: { type: 'boolean' },
    'skip-missing': { type: 'boolean' },
  })
  const [engine, file, more] = operands
  if (engine !== 'nginx' || file === undefined || more !== undefined)
    throw new CommandError('say which file: synod proxy import nginx FILE', 2)
  const files = { read: (path: string) => readFileSync(path, 'utf8'), list: (folder: string) => readdirSync(folder) }
  const result = importNginx(resolve(file), files, { skipMissing: flags['skip-missing'] === true })
  if (flags['json'] === true) return showJson(file, result, flags['output'])
  if (!result.ok)
    throw new CommandError(result.problems.map(({ file: at, line, message }) => `${at}:${line} ${message}`).join('\n'))
  writeOutput(flags['output'], result.yaml)
  for (const note of formatNotes(result.notes, process.cwd())) process.stderr.write(`${note}\n`)
  if (result.notes.length > 0)
    process.stderr.write(`${result.notes.length} not carried over, or otherwise: see above\n`)
}

function showJson(file: string, result: ImportResult, output: string | boolean | undefined): void {
  if (!result.ok) {
    process.exitCode = 1
    return printJson({ ok: false, file, problems: result.problems })
  }
  const { yaml, notes } = result
  if (typeof output !== 'string' || output === '-') return printJson({ ok: true, file, notes, yaml })
  writeOutput(output, yaml)
  printJson({ ok: true, file, notes })
}
