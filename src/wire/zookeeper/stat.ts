import { type Carried, int, long, record, ustring, vector } from './jute.ts'
import { permissions } from './protocol.ts'

/** Who: `world`/`anyone`, `auth`/`` (whoever this session has proved to be), `digest`/`user:hash`, … */
export const identity = record({ scheme: ustring, id: ustring })

export const accessRule = record({ perms: int, id: identity })
export type AccessRule = Carried<typeof accessRule>

/** What a create takes: at least one rule. */
export const accessRules = vector(accessRule, 12)

export const openToAll: readonly AccessRule[] = [{ perms: permissions.all, id: { scheme: 'world', id: 'anyone' } }]
export const creatorOnly: readonly AccessRule[] = [{ perms: permissions.all, id: { scheme: 'auth', id: '' } }]

/** What a server keeps of a node besides its data. */
export const stat = record({
  /** The write that created it. */
  czxid: long,
  /** The write that last changed its data. */
  mzxid: long,
  ctime: long,
  mtime: long,
  /** Changes of its data since it was created. */
  version: int,
  /** Changes of its children. */
  cversion: int,
  /** Changes of its access rules. */
  aversion: int,
  /** The session it ends with; 0 for none, the least long for a container. */
  ephemeralOwner: long,
  dataLength: int,
  numChildren: int,
  /** The write that last changed its children. */
  pzxid: long,
})
export type Stat = Carried<typeof stat>
