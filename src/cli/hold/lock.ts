/** `synod lock NAME -- COMMAND`: runs a program while holding a lock. */
import { connect } from '../../client/index.ts'
import { CommandError } from '../output.ts'
import { holdArguments } from './arguments.ts'
import { runChild } from './child.ts'
import { lostStatus, notGotStatus, tell } from './status.ts'

export async function lock(args: readonly string[]): Promise<void> {
  const wanted = holdArguments('lock', args)
  const synod = await connect(wanted.connection, { sessionTtlMs: wanted.ttlMs })
  try {
    const held = await synod.lock(wanted.name).acquire({ waitMs: wanted.waitMs }).catch(notGot(wanted.name))
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

function notGot(name: string): (error: unknown) => never {
  return (error) => {
    if ((error as { code?: unknown }).code === 'TIMEOUT')
      throw new CommandError(`the lock ${name} did not become free within --wait; nothing was run`, notGotStatus)
    throw error
  }
}
