/** `synod elect NAME -- COMMAND`: runs a program while leading; one that loses leadership stands again. */
import { hostname } from 'node:os'
import { type CommonPlane, type CoordinationPlane, connect } from '../../client/index.ts'
import { CommandError } from '../output.ts'
import { holdArguments } from './arguments.ts'
import { runChild } from './child.ts'
import { tell } from './status.ts'
import { waitFor } from './waiting.ts'

export async function elect(args: readonly string[]): Promise<void> {
  const wanted = holdArguments('elect', args)
  const { name, json } = wanted
  const value = typeof wanted.flags['value'] === 'string' ? wanted.flags['value'] : `${hostname()}:${process.pid}`
  const synod = await connect(wanted.connection, { sessionTtlMs: wanted.ttlMs })
  try {
    if (!hasElections(synod))
      throw new CommandError(
        `${synod.engine} keeps no leases with keys, so nobody can be elected on it; synod lock works there`,
      )
    for (;;) {
      const leadership = await waitFor(`others led ${name} all through --wait; nothing was run`, (signal) =>
        synod.election(name).campaign({ value, waitMs: wanted.waitMs, signal }),
      )
      if (leadership === undefined) return
      tell(json, { event: 'leading', election: name, fencingToken: leadership.fencingToken })
      const environment = { SYNOD_ELECTION: name, SYNOD_FENCING_TOKEN: String(leadership.fencingToken) }
      const end = await runChild(wanted.command, environment, leadership.signal, wanted.graceMs).finally(() =>
        leadership.resign().catch(() => {}),
      )
      process.exitCode = end.status
      if (!end.stopped) return
      tell(json, { event: 'leadership lost', election: name })
    }
  } finally {
    await synod.close()
  }
}

function hasElections(plane: CommonPlane): plane is CoordinationPlane {
  return plane.engine !== 'redis'
}
