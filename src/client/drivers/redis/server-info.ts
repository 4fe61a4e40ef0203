/** What a Redis server says of itself, and whether it can be stood on. */
import { SynodError } from '../../errors.ts'

export interface ServerInfo {
  /** Of this run of the server's process. */
  readonly runId: string
  readonly version: string
  /** `standalone`, `cluster` or `sentinel`. */
  readonly mode: string
  /** `master` or `slave`. */
  readonly role: string
  readonly appendOnly: boolean
  readonly replicas: number
  /** 0: no limit. */
  readonly memoryBytesMax: number
  readonly memoryPolicy: string
}

/** Reads the answer to `INFO`: lines of `name:value`. */
export function parseInfo(text: string): ServerInfo {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1))
  }
  const field = (name: string): string => fields.get(name) ?? ''
  return {
    runId: field('run_id'),
    version: field('redis_version'),
    mode: field('redis_mode'),
    role: field('role'),
    appendOnly: field('aof_enabled') === '1',
    replicas: Number(field('connected_slaves')),
    memoryBytesMax: Number(field('maxmemory')),
    memoryPolicy: field('maxmemory_policy'),
  }
}

/** Throws `NOT_SUPPORTED` for a server on which locks would not be locks. */
export function refuseUnfit(info: ServerInfo): void {
  const { version, mode, role, memoryBytesMax, memoryPolicy } = info
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 6 || (major === 6 && minor < 2)) throw unfit(`it is version ${version}; 6.2 is the oldest that works`)
  if (mode === 'cluster')
    throw unfit('it is part of a Redis Cluster, where one script cannot see all keys; connect to a server of its own')
  if (mode === 'sentinel') throw unfit('it is a Sentinel; connect to the primary that it watches')
  if (role !== 'master') throw unfit('it is a replica; connect to its primary')
  if (memoryBytesMax > 0 && memoryPolicy !== 'noeviction')
    throw unfit(
      `with maxmemory-policy ${memoryPolicy} it deletes keys when memory is short, and with them locks that are held and ` +
        'the tokens that were given; set maxmemory-policy noeviction, or use another server',
    )
}

function unfit(why: string): SynodError {
  return new SynodError('NOT_SUPPORTED', `this Redis server cannot be used for coordination: ${why}`)
}
