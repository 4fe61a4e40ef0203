/**
 * Reads of one key and of ranges.
 *
 * A read that is not stale is sent behind a `sync` on the same connection, which makes the server catch up with its
 * leader first. All reads of a turn share one. ZooKeeper's own gap remains: a leader answers a sync without asking a
 * quorum whether it still leads, so for as long as a deposed leader does not know (at most `tickTime * syncLimit`), a
 * read through it may miss writes acknowledged by its successor. Writes and transactions that write have no such gap.
 * It also answers its own clients' sync a moment before it has applied what it has committed. What this driver knows to
 * be committed, mostly from a lease's session at another server, is therefore looked for in the answer (R1).
 *
 * - R1  A read that is not stale shows whatever this driver had been told of before the call.
 *
 * A list walks the tree: it is no snapshot. Each entry is as it was at some moment of the call, and a key that was
 * there throughout is listed.
 */
import { errorCodes, type OperationName } from '../../../wire/zookeeper/index.ts'
import type { Entry, GetResult, Key, KeyRange, ListOptions, ListResult, Revision } from '../../driver/index.ts'
import type { Call } from './call.ts'
import type { Reply, ServerConnection } from './connection.ts'
import { passOverLoss } from './errors.ts'
import { type Directory, type KeyPaths, nodeNamed } from './key-paths.ts'
import { answered, entryOf, revisionOf } from './requests.ts'
import type { ServerSession } from './session.ts'

const retryPauseMsMax = 100
/** Of a read that may be of any moment. */
const anyZxid: Zxid = 0n
/** So many keys of one directory are read at a time. */
const pipelineDepth = 128
/** So many directories of one list are read at a time. */
const directoriesAtOnce = 16

type Zxid = bigint

/** R1 does not hold yet: the read is to be made again. */
class ServerBehind extends Error {
  override readonly name = 'ServerBehind'
}

interface Named {
  readonly key: Key
  /** The directory's; undefined for a key. */
  readonly directory: Directory | undefined
}

interface Walk {
  readonly connection: ServerConnection
  readonly range: Required<KeyRange>
  readonly keysOnly: boolean
  /** One more than the limit: whether there is more must be known. */
  readonly countMax: number
  /** R1. */
  readonly floor: Zxid
  readonly entries: Entry[]
  /** Directories are read one after the other: where there is a limit, and inside one of several read at once. */
  readonly isSerial: boolean
  readonly call: Call
}

export class Reads {
  readonly #session: ServerSession
  readonly #paths: KeyPaths

  constructor(session: ServerSession, paths: KeyPaths) {
    this.#session = session
    this.#paths = paths
  }

  /** Runs `read` on a connection, and again when that goes or its server is behind `floor` (R1). */
  async onConnection<T>(call: Call, read: (connection: ServerConnection, floor: Zxid) => Promise<T>): Promise<T> {
    const floor = this.#session.lastZxidSeen
    for (let attempt = 0; ; attempt++) {
      // A server that hangs up whenever it is asked must not be asked as fast as it can.
      if (attempt > 1) await call.pause(call.outside.random.float() * Math.min(retryPauseMsMax, 2 ** attempt))
      call.check()
      const connection = await this.#session.connected(call)
      call.check()
      try {
        return await read(connection, floor)
      } catch (error) {
        if (error instanceof ServerBehind) continue
        passOverLoss(error)
        connection.destroy()
      }
    }
  }

  /** Makes what is sent after it in this turn see all that was committed before now. */
  sync(connection: ServerConnection): void {
    if (connection.syncIsUnsent) return
    connection.send('sync', { path: this.#paths.root }).then(
      (reply) => {
        // A server that could not catch up must not answer what was sent behind.
        if (reply.err !== errorCodes.ok) connection.destroy()
      },
      () => {},
    )
  }

  get(call: Call, key: Key, stale: boolean): Promise<GetResult> {
    return this.onConnection(call, (connection, floor) => {
      if (!stale) this.sync(connection)
      return this.readKey(connection, key, stale ? anyZxid : floor)
    })
  }

  /** For {@link onConnection}. */
  async readKey(connection: ServerConnection, key: Key, floor: Zxid): Promise<GetResult> {
    const reply = await connection.send('getData', { path: this.#paths.node(key), watch: false })
    this.#noted(reply, floor)
    const revision = revisionOf(reply.zxid)
    if (reply.err === errorCodes.noNode) return { entry: undefined, revision }
    const { data, stat } = answered(reply, 'read a key')
    return { entry: entryOf(key, stat, data ?? new Uint8Array(0)), revision }
  }

  async list(call: Call, range: KeyRange, options: ListOptions): Promise<ListResult> {
    const { start, end } = range
    if (end === undefined) return this.#listOne(call, start, options)
    const limit = options.limit ?? Number.POSITIVE_INFINITY
    return this.onConnection(call, async (connection, floor) => {
      if (!options.stale) this.sync(connection)
      const walk: Walk = {
        connection,
        range: { start, end },
        keysOnly: options.keysOnly === true,
        countMax: limit + 1,
        floor: options.stale ? anyZxid : floor,
        entries: [],
        isSerial: limit !== Number.POSITIVE_INFINITY,
        call,
      }
      const revision = await this.#walk(walk, this.#paths.directoryOf(start, end))
      const more = walk.entries.length > limit
      return { entries: more ? walk.entries.slice(0, limit) : walk.entries, more, revision }
    })
  }

  async #listOne(call: Call, key: Key, options: ListOptions): Promise<ListResult> {
    const { entry, revision } = await this.get(call, key, options.stale === true)
    if (entry === undefined || options.limit === 0) return { entries: [], more: entry !== undefined, revision }
    return { entries: [options.keysOnly ? { ...entry, value: new Uint8Array(0) } : entry], more: false, revision }
  }

  /** Depth first, which is the order of keys when a directory stands where its `prefix` does. */
  async #walk(walk: Walk, directory: Directory): Promise<Revision> {
    const reply = await walk.connection.send('getChildren', { path: directory.path, watch: false })
    this.#noted(reply, walk.floor)
    const revision = revisionOf(reply.zxid)
    if (reply.err === errorCodes.noNode) return revision
    const names = this.#namesIn(directory, answered(reply, 'list a directory').children, walk.range)
    for (let at = 0; at < names.length && walk.entries.length < walk.countMax; ) {
      walk.call.check()
      at = await (names[at]!.directory === undefined ? this.#readRun(walk, names, at) : this.#walkRun(walk, names, at))
    }
    return revision
  }

  /** Walks the directories from `names[at]` up to the next key, a few at most. Returns where they end. */
  async #walkRun(walk: Walk, names: readonly Named[], at: number): Promise<number> {
    const first = names[at]!.directory!
    if (walk.isSerial) {
      await this.#walk(walk, first)
      return at + 1
    }
    const directories: Directory[] = []
    for (const { directory } of names.slice(at, at + directoriesAtOnce)) {
      if (directory === undefined) break
      directories.push(directory)
    }
    const parts = await Promise.all(
      directories.map(async (directory) => {
        const part: Walk = { ...walk, isSerial: true, entries: [] }
        await this.#walk(part, directory)
        return part.entries
      }),
    )
    for (const part of parts) for (const entry of part) walk.entries.push(entry)
    return at + directories.length
  }

  /** Reads the keys from `names[at]` up to the next directory, at most a pipeline full. Returns where they end. */
  async #readRun(walk: Walk, names: readonly Named[], at: number): Promise<number> {
    const depth = Math.min(pipelineDepth, walk.countMax - walk.entries.length)
    let end = at
    while (end < names.length && end - at < depth && names[end]!.directory === undefined) end++
    const found = await Promise.all(names.slice(at, end).map(({ key }) => this.#readOne(walk, key)))
    for (const entry of found) if (entry !== undefined) walk.entries.push(entry)
    return end
  }

  async #readOne(walk: Walk, key: Key): Promise<Entry | undefined> {
    if (!walk.keysOnly) return (await this.readKey(walk.connection, key, walk.floor)).entry
    const reply = await walk.connection.send('exists', { path: this.#paths.node(key), watch: false })
    this.#noted(reply, walk.floor)
    if (reply.err === errorCodes.noNode) return undefined
    return entryOf(key, answered(reply, 'read a key').stat, new Uint8Array(0))
  }

  #noted({ zxid, err }: Pick<Reply<OperationName>, 'zxid' | 'err'>, floor: Zxid): void {
    this.#session.saw(zxid)
    if (zxid < floor && (err === errorCodes.ok || err === errorCodes.noNode)) throw new ServerBehind()
  }

  /** What may hold keys of the range, in the order of its keys. */
  #namesIn(directory: Directory, children: readonly string[], { start, end }: Required<KeyRange>): Named[] {
    const named: Named[] = []
    for (const name of children) {
      const node = nodeNamed(name)
      if (node === undefined) continue
      const key = directory.prefix + node.segment + (node.isDirectory ? '/' : '')
      if (end !== '' && end !== undefined && key >= end) continue
      if (key < start && !(node.isDirectory && start.startsWith(key))) continue
      const path = `${directory.path}/${name}`
      named.push({ key, directory: node.isDirectory ? { prefix: key, path } : undefined })
    }
    return named.sort((a, b) => (a.key < b.key ? -1 : 1))
  }
}
