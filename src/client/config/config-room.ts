import type { Timer } from '../../runtime/index.ts'
import { type PlaneContext, prefixEnd, roomPrefix } from '../context.ts'
import type { CallOptions, Entry, Key } from '../driver/index.ts'
import type { SynodError } from '../errors.ts'
import { Bell, type LatestState, type LatestStates, latestStates } from '../watching/index.ts'

/** What a config hears from the room. */
export interface RoomListener {
  readonly revalidateMs: number
  /** The room is, or still is, so. */
  onState(entries: ReadonlyMap<Key, Entry>, currentAsOfMs: number): void
  /** It is followed no more. */
  onEnd(error: SynodError): void
}

/**
 * The near copy of all stored settings of a connection: one watch and one comparison at a time for all its configs. Made
 * for the first, ended with the last.
 *
 * - I1  It lives while it has listeners, or an error has ended it; then the next config begins a new one.
 * - I2  Listeners hear the states in order, each whole.
 */
export class ConfigRoom {
  private readonly context: PlaneContext
  private readonly states: LatestStates
  private readonly listeners = new Set<RoomListener>()
  private readonly waiting = new Set<Bell>()
  private latest: LatestState | undefined
  private failure: SynodError | undefined
  private timer: Timer | undefined

  /** The room of this connection. */
  static of(context: PlaneContext): ConfigRoom {
    const known = rooms.get(context)
    if (known !== undefined) return known
    const room = new ConfigRoom(context)
    rooms.set(context, room)
    void room.follow()
    return room
  }

  private constructor(context: PlaneContext) {
    const prefix = roomPrefix(context, 'config')
    this.context = context
    this.states = latestStates(context.driver, { start: prefix, end: prefixEnd(prefix) })
  }

  join(listener: RoomListener): void {
    this.listeners.add(listener)
    this.timer?.cancel()
    this.revalidateLater()
  }

  async leave(listener: RoomListener): Promise<void> {
    if (!this.listeners.delete(listener) || this.listeners.size > 0) return
    this.forget()
    await this.states.return?.()
  }

  /** Resolves when the listeners have heard a state that is no older than the call. */
  async refresh(options: CallOptions): Promise<void> {
    const { clock } = this.context.driver.outside
    const calledAtMs = clock.monotonicMs()
    await this.first(options)
    if (this.latest!.currentAsOfMs >= calledAtMs) return
    await this.states.revalidate(options)
    await this.hear(options, () => this.latest!.currentAsOfMs >= calledAtMs)
  }

  /** The newest state, once there is one. */
  async first(options: CallOptions): Promise<LatestState> {
    await this.hear(options, () => this.latest !== undefined)
    return this.latest!
  }

  private async hear(options: CallOptions, until: () => boolean): Promise<void> {
    const bell = new Bell()
    this.waiting.add(bell)
    try {
      while (!until()) {
        if (this.failure !== undefined) throw this.failure
        await bell.heard(this.context.driver.outside, options)
      }
    } finally {
      this.waiting.delete(bell)
    }
  }

  private async follow(): Promise<void> {
    try {
      for await (const state of this.states) {
        this.latest = state
        for (const listener of [...this.listeners]) listener.onState(state.entries, state.currentAsOfMs)
        for (const bell of this.waiting) bell.ring()
      }
    } catch (error) {
      this.failure = error as SynodError
      this.forget()
      for (const listener of [...this.listeners]) listener.onEnd(this.failure)
      for (const bell of this.waiting) bell.ring()
    }
  }

  private forget(): void {
    this.timer?.cancel()
    this.timer = undefined
    if (rooms.get(this.context) === this) rooms.delete(this.context)
  }

  private revalidateLater(): void {
    const periodMs = Math.min(...[...this.listeners].map(({ revalidateMs }) => revalidateMs))
    this.timer = this.context.driver.outside.scheduler.setTimer(periodMs, () => void this.revalidateNow())
  }

  private async revalidateNow(): Promise<void> {
    this.timer = undefined
    try {
      await this.states.revalidate()
    } catch {
      // Staleness tells it; the watch itself tells what cannot be mended.
    }
    if (this.timer === undefined && this.listeners.size > 0 && this.failure === undefined) this.revalidateLater()
  }
}

const rooms = new WeakMap<PlaneContext, ConfigRoom>()
