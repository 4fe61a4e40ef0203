/** `synod lock NAME -- COMMAND`: runs a program while holding a lock. */
import { connect } from '../../client/index.ts'
import { CommandError } from '../output.ts'
import { holdArguments } from './arguments.ts'
import { runChild } from './child.ts'
import { lostStatus, tell } from './status.ts'
import { waitFor } from './waiting.ts'

export async function lock(args: readonly string[]): Promise<void> {
  const wanted = holdArguments('lock', args)
  const synod = await connect(wanted.connection, { sessionTtlMs: wanted.ttlMs })
  try {
    const held = await waitFor(`the lock ${wanted.name} did not become free within --wait; nothing was run`, (signal) =>
      synod.lock(wanted.name).acquire({ waitMs: wanted.waitMs, signal }),
    )
    if (held === undefined) return
    tell(wanted.json, { event: 'locked', lock: wanted.name, fencingToken: held.fencingToken })
    const environment = { SYNOD_LOCK: wanted.name, SYNOD_FENCING_TOKEN: String(held.fencingToken) }
    const end = await runChild(wanted.command, environment, held.signal, wanted.graceMs).finally(() =>
      held.release().catch(() => {}),
    )
    process.exitCode = end.status
    if (!end.stopped) return
    throw new CommandError(
      `lost the lock ${wanted.name} while the command ran, and ended it: others may hold the lock since`,
      lostStatus,
    )
  } finally {
    await synod.close()
  }
}
