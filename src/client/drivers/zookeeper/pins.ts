/**
 * Pins: how a transaction makes sure that what it read still holds when its multi is applied.
 *
 * A `check` of ZooKeeper compares a node's data version, which begins at 0 again when the node is made anew: a lock that
 * expired and was taken by another looks just as before. And it cannot say that a node is absent. So each key shares one
 * of some pins, nodes below `ROOT/+pins`, with others, and every multi of ours that creates a key changes that key's
 * pin. A pin whose version has not changed since before the key was read says:
 *
 * - if the key was absent, it still is;
 * - if it was there and its node's version is the same, it is the same node (it may have gone, which the step that
 *   names it finds out).
 *
 * Deletions need not change a pin: also those by the server, when a session ends, are covered. What other programs
 * create below the root without changing pins is not.
 */
import { errorCodes, type MultiStep, type RequestOf } from '../../../wire/zookeeper/index.ts'
import type { Key } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Call } from './call.ts'
import type { ServerConnection } from './connection.ts'
import type { KeyPaths } from './key-paths.ts'
import { answered, makeNodes } from './requests.ts'

/** The versions of pins, by path. */
export type Pins = ReadonlyMap<string, number>

/** Reads the pins of `keys`, and makes those that are not there. To be called before the keys are read, in one turn. */
export async function readPins(
  call: Call,
  connection: ServerConnection,
  paths: KeyPaths,
  keys: readonly Key[],
  acl: RequestOf<'create'>['acl'],
): Promise<Pins | 'made'> {
  const pinPaths = [...new Set(keys.map((key) => paths.pin(key)))]
  const replies = await Promise.all(pinPaths.map((path) => connection.send('exists', { path, watch: false })))
  const pins = new Map<string, number>()
  const missing: string[] = []
  for (const [at, reply] of replies.entries()) {
    const path = pinPaths[at]!
    if (reply.err === errorCodes.noNode) missing.push(path)
    else pins.set(path, checkedVersion(answered(reply, 'read a pin').stat.version))
  }
  if (missing.length === 0) return pins
  call.check()
  await makeNodes(connection, [paths.pinsFolder, ...missing], 'create', acl)
  return 'made'
}

function checkedVersion(version: number): number {
  if (version >= 0) return version
  throw new SynodError(
    'NOT_SUPPORTED',
    'more than 2 147 483 647 keys that share a pin were made; copy the keys to another root',
  )
}

/** The step that holds while the pin is unchanged; with `creates` it changes the pin itself. */
export function pinStep(path: string, version: number, creates: boolean): MultiStep {
  return creates ? { op: 'setData', path, data: undefined, version } : { op: 'check', path, version }
}
