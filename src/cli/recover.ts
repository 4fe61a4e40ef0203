/** synod recover: a new cluster out of one survivor, on its stopped data directory. */
import { DataDirectoryError, recoverMember } from '../node/index.ts'
import { createNodeRuntime } from '../runtime/node/index.ts'
import { parseArguments } from './arguments.ts'
import { CommandError, printJson, printLine } from './output.ts'

export async function recover(args: readonly string[]): Promise<void> {
  const { flags, operands } = parseArguments('recover', args, {
    'force-new-cluster': { type: 'boolean' },
    'dry-run': { type: 'boolean' },
    'data-dir': { type: 'string' },
    json: { type: 'boolean' },
  })
  if (operands.length > 0)
    throw new CommandError(`synod recover takes no "${operands[0]}". See synod recover --help.`, 2)
  const dataDir = flags['data-dir']
  if (typeof dataDir !== 'string' || dataDir === '')
    throw new CommandError('--data-dir is missing: the data directory of a stopped member.', 2)
  const dryRun = flags['dry-run'] === true
  if (!dryRun && flags['force-new-cluster'] !== true)
    throw new CommandError(
      'this gives up on the other members for good: say --force-new-cluster to do it, or --dry-run to see what would be kept.',
      2,
    )
  const runtime = createNodeRuntime({ logLevel: 'warn', logFormat: 'text' })
  const options = { dataDir, owner: `process ${process.pid}, synod recover`, dryRun }
  const result = await recoverMember(runtime, options).catch((error: unknown) => {
    if (error instanceof DataDirectoryError) throw new CommandError(error.message)
    throw error
  })
  const hex = (id: bigint): string => id.toString(16)
  const { name, removed, former, lastIndex, lastTerm, snapshotIndex, entries, missing, term, revision } = result
  if (flags['json'] === true)
    return printJson({
      done: !dryRun,
      name,
      memberId: hex(result.memberId),
      formerClusterId: hex(result.formerClusterId),
      clusterId: dryRun ? undefined : hex(result.clusterId),
      lastIndex,
      lastTerm,
      term,
      revision,
      snapshotIndex,
      entries,
      missing,
      removed: removed.map((member) => ({ id: hex(member.id), name: member.name })),
    })
  const others = removed.map((member) => `${member.name || 'a member never started'} (${hex(member.id)})`).join(', ')
  const kept = entries === 0 ? 'a snapshot' : `${snapshotIndex === 0 ? '' : 'a snapshot and '}${entries} log entries`
  const gaps = missing === 0 ? '' : `, and the ${missing} entries before it that this member lacks`
  printLine(`member ${name} (${hex(result.memberId)}) has ${kept}: up to index ${lastIndex}, written up to term ${lastTerm}, revision ${revision}.
Missing may be: what the old cluster acknowledged after index ${lastIndex} and this member never received${gaps}.
Kept may be: entries after index ${snapshotIndex} that the old cluster never acknowledged; the log of one member cannot tell.`)
  if (dryRun) return printLine(`Nothing was changed. The other members: ${others || 'none'}.`)
  printLine(`It is now cluster ${hex(result.clusterId)} of its own (it was ${hex(result.formerClusterId)}); no members any more: ${others || 'none'}.
Start it with its settings as before, then add members: synod member add NAME --peer-urls URL.
Data from before is still in ${former}/wal and ${former}/snap; remove it when it is not needed.`)
}
