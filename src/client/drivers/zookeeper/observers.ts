/**
 * Observes ranges by ZooKeeper's persistent watches (3.6): recursive on the lowest directory that holds the range, or on
 * the node of a single key. They live on one connection, and end with it.
 *
 * - O1  `#places` has a place exactly while somebody observes it, or its watch is being set. Requests of one connection
 *       are handled in their order, so removing a watch and setting it anew cannot overtake each other.
 * - O2  A sink is told at most once a turn, never inside the call that asked.
 */
import { errorCodes, type WatchEvent, watcherTypes, watchModes } from '../../../wire/zookeeper/index.ts'
import type { ClientRuntime, Key, KeyRange, ObserveSink, Subscription } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import type { Call } from './call.ts'
import type { ServerConnection } from './connection.ts'
import { driverClosed, passOverLoss } from './errors.ts'
import type { KeyPaths } from './key-paths.ts'
import { answered } from './requests.ts'
import type { ServerSession } from './session.ts'

interface Observer {
  readonly range: KeyRange
  readonly sink: ObserveSink
  readonly path: string
  /** Set once the watch is. Before, nothing is told. */
  connection: ServerConnection | undefined
  isToldThisTurn: boolean
}

export class Observers {
  readonly #session: ServerSession
  readonly #paths: KeyPaths
  readonly #outside: ClientRuntime
  /** O1. By path. */
  readonly #places = new Map<string, Set<Observer>>()

  constructor(session: ServerSession, paths: KeyPaths, outside: ClientRuntime) {
    this.#session = session
    this.#paths = paths
    this.#outside = outside
  }

  async observe(call: Call, range: KeyRange, sink: ObserveSink): Promise<Subscription> {
    const { start, end } = range
    const path = end === undefined ? this.#paths.node(start) : this.#paths.directoryOf(start, end).path
    const mode = end === undefined ? watchModes.persistent : watchModes.persistentRecursive
    const observer: Observer = { range, sink, path, connection: undefined, isToldThisTurn: false }
    for (;;) {
      call.check()
      const connection = await this.#session.connected(call)
      call.check()
      if (connection.isClosed) continue
      this.#enter(observer)
      call.onEnd(() => this.#leave(observer, connection))
      try {
        answered(await connection.send('addWatch', { path, mode }), 'watch a range')
        observer.connection = connection
        return { cancel: () => this.#leave(observer, connection) }
      } catch (error) {
        this.#leave(observer, connection)
        passOverLoss(error)
        connection.destroy()
      }
    }
  }

  onWatch(event: WatchEvent): void {
    const key = this.#paths.keyOf(event.path)
    if (key === undefined) return
    for (const path of pathsAbove(event.path))
      for (const observer of this.#places.get(path) ?? []) if (holdsKey(observer.range, key)) this.#tell(observer)
  }

  /** Ends those whose watch has gone with its connection. */
  onDisconnected(): void {
    const error = new SynodError('UNAVAILABLE', 'the connection that observed has ended; observe again')
    this.#endAll(error)
  }

  close(): void {
    this.#endAll(driverClosed())
  }

  #endAll(error: SynodError): void {
    for (const observers of this.#places.values())
      for (const observer of observers) {
        if (observer.connection === undefined) continue
        this.#forget(observer)
        this.#outside.scheduler.endOfTurn(() => observer.sink.onEnd(error))
      }
  }

  #enter(observer: Observer): void {
    const observers = this.#places.get(observer.path) ?? new Set()
    observers.add(observer)
    this.#places.set(observer.path, observers)
  }

  #leave(observer: Observer, connection: ServerConnection): void {
    if (!this.#forget(observer) || this.#places.has(observer.path) || connection.isClosed) return
    connection.send('removeWatches', { path: observer.path, type: watcherTypes.any }).then(
      ({ err }) => {
        // A watch that cannot be removed would be told of for as long as the connection lasts.
        if (err !== errorCodes.ok && err !== errorCodes.noWatcher) connection.destroy()
      },
      () => {},
    )
  }

  /** Whether it was there. */
  #forget(observer: Observer): boolean {
    const observers = this.#places.get(observer.path)
    if (observers?.delete(observer) !== true) return false
    if (observers.size === 0) this.#places.delete(observer.path)
    return true
  }

  #tell(observer: Observer): void {
    if (observer.isToldThisTurn) return
    observer.isToldThisTurn = true
    this.#outside.scheduler.endOfTurn(() => {
      observer.isToldThisTurn = false
      if (observer.connection !== undefined && this.#places.get(observer.path)?.has(observer)) observer.sink.onChange()
    })
  }
}

/** A path and those above it. */
function* pathsAbove(path: string): Generator<string> {
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) yield path.slice(0, end)
}

function holdsKey({ start, end }: KeyRange, key: Key): boolean {
  return end === undefined ? key === start : key >= start && (end === '' || key < end)
}
