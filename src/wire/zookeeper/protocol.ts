/** The numbers of ZooKeeper's client protocol (ZooDefs.OpCode, Watcher.Event, KeeperException.Code; 3.8). */

/** What a request asks for. */
export const opCodes = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  setWatches2: 105,
  addWatch: 106,
  closeSession: -11,
} as const

/** The xids that stand for no request of their own. Requests count from 1. */
export const reservedXids = { watchEvent: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** `flags` of a create. Sequential ones get a ten-digit suffix. */
export const createFlags = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTtl: 5,
  persistentSequentialWithTtl: 6,
} as const

/** `mode` of addWatch: stays until removed, on the node (and its list of children) or on all below it as well. */
export const watchModes = { persistent: 0, persistentRecursive: 1 } as const

/** `type` of removeWatches. */
export const watcherTypes = { children: 1, data: 2, any: 3 } as const

/** `type` of a watch event. */
export const eventTypes = { none: -1, created: 1, deleted: 2, dataChanged: 3, childrenChanged: 4 } as const

/** Bits of an ACL's `perms`. */
export const permissions = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const

/** `err` of a reply. 0 is success; -1 to -99 are the system's, from -100 on the request's. */
export const errorCodes = {
  ok: 0,
  systemError: -1,
  runtimeInconsistency: -2,
  dataInconsistency: -3,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  newConfigNoQuorum: -13,
  reconfigInProgress: -14,
  unknownSession: -12,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidCallback: -113,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  notReadOnly: -119,
  ephemeralOnLocalSession: -120,
  noWatcher: -121,
  requestTimeout: -122,
  reconfigDisabled: -123,
  sessionClosedRequireSaslAuth: -124,
  quotaExceeded: -125,
  throttledOp: -127,
} as const

const namesOfErrors = new Map<number, string>(Object.entries(errorCodes).map(([name, code]) => [code, name]))

/** For messages: `noNode (-101)`. */
export function errorName(code: number): string {
  return `${namesOfErrors.get(code) ?? 'unknown error'} (${code})`
}

/** What a server takes in one request or gives in one answer unless told otherwise (`jute.maxbuffer`). */
export const defaultFrameBytesMax = 0xfffff
