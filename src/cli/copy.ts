/** synod copy: moves the data of one engine to another. */
import { existsSync } from 'node:fs'
import { type ConnectionTarget, openContext, parseConnectionString } from '../client/connect/index.ts'
import { type CopyOptions, type CopyProgress, type CopyReport, copyPlane } from '../client/copy/index.ts'
import { SynodError } from '../client/index.ts'
import type { Runtime } from '../runtime/index.ts'
import { createNodeRuntime, holdProcess } from '../runtime/node/index.ts'
import { parseArguments } from './arguments.ts'
import { operand, refuseMore } from './keys.ts'
import { CommandError, ProgressLine, printJson, printLine } from './output.ts'

export async function copy(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('copy', args, {
    prefix: { type: 'string', multiple: true },
    'dry-run': { type: 'boolean' },
    overwrite: { type: 'boolean' },
    resume: { type: 'boolean' },
    json: { type: 'boolean' },
  })
  const from = operand(operands, 0, 'copy', 'FROM')
  const to = operand(operands, 1, 'copy', 'TO')
  refuseMore(operands, 2, 'copy')
  const letGo = holdProcess()
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  const line = new ProgressLine()
  try {
    const report = await betweenTargets(targetOf(from, 'FROM'), targetOf(to, 'TO'), {
      // Node's parser gives a list for a flag that may be repeated.
      prefixes: (flags['prefix'] ?? []) as unknown as readonly string[],
      dryRun: flags['dry-run'] === true,
      overwrite: flags['overwrite'] === true,
      resume: flags['resume'] === true,
      signal: stop.signal,
      onProgress: (progress) => line.show(progressText(progress)),
    })
    line.clear()
    if (flags['json'] === true) printJson(report)
    else printLine(reportText(report))
  } catch (error) {
    line.clear()
    throw commandError(error)
  } finally {
    letGo()
  }
}

function targetOf(text: string, what: 'FROM' | 'TO'): ConnectionTarget {
  const target = parseConnectionString(text)
  if (target.scheme === 'redis')
    throw new CommandError(`${what} is a Redis: it keeps locks, counters and limits, but no key space to copy.`, 2)
  if (what === 'FROM' && target.scheme === 'embedded' && (target.path === undefined || !existsSync(target.path)))
    throw new CommandError(`FROM names no data: ${target.path ?? 'memory'} is not there.`, 2)
  return target
}

async function betweenTargets(from: ConnectionTarget, to: ConnectionTarget, options: CopyOptions): Promise<CopyReport> {
  const runtime: Runtime = createNodeRuntime({ logLevel: 'error' })
  const source = await openContext(from, runtime)
  try {
    const target = await openContext(to, runtime)
    try {
      return await copyPlane(source.context, target.context, options)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

function commandError(error: unknown): unknown {
  if (!(error instanceof SynodError)) return error
  switch (error.code) {
    case 'CANCELLED':
      return new CommandError('stopped. The same command with --resume goes on where this one ended.', 130)
    case 'CONFLICT':
      return new CommandError(`${error.message}. (--overwrite replaces, --resume continues, --dry-run only tells.)`)
    default:
      return new CommandError(error.message, error.code === 'INVALID_ARGUMENT' ? 2 : 1)
  }
}

const phaseNames = { compare: 'comparing', copy: 'copying', verify: 'verifying' } as const

function progressText({ phase, keys, keysInAll }: CopyProgress): string {
  return `${phaseNames[phase]}: ${keys}${keysInAll === undefined ? '' : ` of ${keysInAll}`} keys`
}

function reportText(report: CopyReport): string {
  const { dryRun, keys, bytes, rooms, written, equal, different, extra, leased, staying } = report
  const byRoom = Object.entries(rooms).map(([room, count]) => `${count} ${room}`)
  const lines = [
    `${dryRun ? 'to copy' : 'copied'}: ${keys} keys, ${bytes} bytes${keys === 0 ? '' : ` (${byRoom.join(', ')})`}`,
    `  ${dryRun ? 'to be written' : 'written'} ${written}; there with the same value ${equal}, with another ${different}; only in TO ${extra}`,
    `  left behind: ${leased} on leases, ${staying} that mean something only in FROM`,
    `  tokens of TO are above ${report.tokenFloor}, ids after ${new Date(report.idsFloorMs).toISOString()}`,
    dryRun ? '  nothing was changed' : `  both sides have the digest sha256:${report.digest}`,
  ]
  return lines.join('\n')
}
