import { type PlaneContext, roomKey } from '../context.ts'
import type { Entry, Key } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import {
  jsonBytes,
  jsonOf,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
  validated,
} from '../schema/index.ts'
import { updateValue } from '../versioned/index.ts'
import { Bell } from '../watching/index.ts'
import type { Config, ConfigChange, ConfigOptions, PartOf } from './config.ts'
import { ConfigRoom, type RoomListener } from './config-room.ts'
import { asOverrides, laidOver, type Overrides, without } from './overrides.ts'

const revalidateMsDefault = 5_000

/**
 * Follows the settings of this name; resolves when their value is there. Rejects with `VALIDATION_FAILED` when neither what
 * is stored nor the defaults fit the schema.
 *
 * @example
 * const config = await synod.config('checkout', {
 *   schema: z.object({ currency: z.string(), retries: z.number().int() }),
 *   defaults: { currency: 'EUR', retries: 3 },
 *   layers: ['shared'],
 * })
 * config.on('change', ({ value }) => console.log('retries are now', value.retries))
 */
export async function createConfig<S extends StandardSchema>(
  context: PlaneContext,
  name: string,
  options: ConfigOptions<S>,
  limits?: CallLimits,
): Promise<Config<S>> {
  for (const [option, ms] of Object.entries({ revalidateMs: options.revalidateMs, maxStaleMs: options.maxStaleMs }))
    if (ms !== undefined && !(ms > 0))
      throw new SynodError('INVALID_ARGUMENT', `${option} is ${ms}; it must be a number of milliseconds above 0`)
  const config = new NearConfig(context, name, options)
  try {
    await config.begin(limits)
  } catch (error) {
    await config.close()
    throw error
  }
  return config
}

/**
 * One config on the room of its connection.
 *
 * - I1  `current` is what the schema made of the newest state of the room that it accepted; it changes only in `takeIn`,
 *       state after state.
 * - I2  `currentAsOfMs` belongs to a state that `current` shows, or that is known to be refused: it moves on only after
 *       the state was taken in.
 */
class NearConfig<S extends StandardSchema> implements Config<S> {
  readonly name: string
  problem: SynodError | undefined
  private readonly context: PlaneContext
  private readonly options: ConfigOptions<S>
  private readonly room: ConfigRoom
  private readonly listener: RoomListener
  /** Of the layers, the lowest first, and last its own. */
  private readonly keys: readonly Key[]
  private readonly ownKey: Key
  private readonly changeListeners = new Set<(change: ConfigChange<S>) => void>()
  private readonly problemListeners = new Set<(problem: SynodError) => void>()
  private current: { readonly value: SchemaOutput<S>; readonly json: string } | undefined
  private currentAsOfMs = Number.NEGATIVE_INFINITY
  /** The newest state that is not taken in yet. */
  private next: { readonly entries: ReadonlyMap<Key, Entry>; readonly currentAsOfMs: number } | undefined
  private isTakingIn = false
  /** The revisions of `keys` in the state taken in last. */
  private takenRevisions = ''
  private readonly waiting = new Set<Bell>()
  private isClosed = false

  constructor(context: PlaneContext, name: string, options: ConfigOptions<S>) {
    this.context = context
    this.name = name
    this.options = options
    this.ownKey = roomKey(context, 'config', name)
    this.keys = [...(options.layers ?? []).map((layer) => roomKey(context, 'config', layer)), this.ownKey]
    this.room = ConfigRoom.of(context)
    this.listener = {
      revalidateMs: options.revalidateMs ?? revalidateMsDefault,
      onState: (entries, currentAsOfMs) => this.hearOf(entries, currentAsOfMs),
      onEnd: (error) => this.report(error),
    }
    this.room.join(this.listener)
  }

  async begin(limits?: CallLimits): Promise<void> {
    const { entries, currentAsOfMs } = await this.room.first(callOptions(this.context, limits))
    this.hearOf(entries, currentAsOfMs)
    await this.settled(limits)
    if (this.current !== undefined) return
    const defaults = laidOver({}, this.defaults())
    this.current = { value: await this.accepted(defaults, 'the defaults of'), json: JSON.stringify(defaults) }
  }

  get value(): SchemaOutput<S> {
    return this.current!.value
  }

  staleMs(): number {
    return this.context.driver.outside.clock.monotonicMs() - this.currentAsOfMs
  }

  assertFresh(): void {
    const { maxStaleMs = Number.POSITIVE_INFINITY } = this.options
    const staleMs = this.staleMs()
    if (staleMs <= maxStaleMs) return
    throw new SynodError(
      'UNAVAILABLE',
      `config ${this.name} was last known to be current ${Math.round(staleMs)} ms ago, more than ${maxStaleMs} ms; ` +
        'the engine cannot be reached, or revalidateMs is longer than that',
      { cause: this.problem },
    )
  }

  async refresh(limits?: CallLimits): Promise<void> {
    this.assertOpen()
    await this.room.refresh(callOptions(this.context, limits))
    await this.settled(limits)
  }

  on(event: 'change', listener: (change: ConfigChange<S>) => void): () => void
  on(event: 'problem', listener: (problem: SynodError) => void): () => void
  on(
    event: 'change' | 'problem',
    listener: ((change: ConfigChange<S>) => void) & ((problem: SynodError) => void),
  ): () => void {
    return event === 'change' ? added(this.changeListeners, listener) : added(this.problemListeners, listener)
  }

  async set(settings: PartOf<SchemaInput<S>>, limits?: CallLimits): Promise<void> {
    const patch = asOverrides(settings, `what is set for config ${this.name}`)
    await this.store((own) => laidOver(own, patch), limits)
  }

  async unset(path: readonly string[], limits?: CallLimits): Promise<void> {
    await this.store((own) => (path.length === 0 ? {} : without(own, path)), limits, path.length === 0)
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    for (const bell of this.waiting) bell.ring()
    await this.room.leave(this.listener)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** `regardless` of what was stored before, which may be no settings at all. */
  private async store(
    change: (own: Overrides) => Overrides,
    limits: CallLimits | undefined,
    regardless = false,
  ): Promise<void> {
    this.assertOpen()
    await this.context.tracing.span('config.set', {}, () =>
      updateValue(
        this.context,
        this.ownKey,
        async (stored) => {
          const own = stored === undefined || regardless ? {} : this.parsed(this.ownKey, stored)
          const next = change(own)
          const { entries } = await this.room.first(callOptions(this.context, limits))
          await this.accepted(laidOver(this.belowOwn(entries), next), 'what is set for')
          return jsonBytes(next, `what is set for config ${this.name}`)
        },
        limits,
      ),
    )
    // It is stored, whatever becomes of looking at it.
    await this.refresh(limits).catch(() => {})
  }

  private hearOf(entries: ReadonlyMap<Key, Entry>, currentAsOfMs: number): void {
    this.next = { entries, currentAsOfMs }
    if (!this.isTakingIn) void this.takeInAll()
  }

  private async takeInAll(): Promise<void> {
    this.isTakingIn = true
    while (this.next !== undefined && !this.isClosed) {
      const { entries, currentAsOfMs } = this.next
      this.next = undefined
      const revisions = this.keys.map((key) => entries.get(key)?.modRevision ?? 0).join()
      if (revisions !== this.takenRevisions || this.current === undefined) await this.takeIn(entries)
      this.takenRevisions = revisions
      this.currentAsOfMs = currentAsOfMs
    }
    this.isTakingIn = false
    for (const bell of this.waiting) bell.ring()
  }

  private async takeIn(entries: ReadonlyMap<Key, Entry>): Promise<void> {
    try {
      const own = entries.get(this.ownKey)
      const below = this.belowOwn(entries)
      const whole = own === undefined ? below : laidOver(below, this.parsed(this.ownKey, own.value))
      const json = JSON.stringify(whole)
      this.problem = undefined
      if (json === this.current?.json) return
      const value = await this.accepted(whole, 'what is stored for')
      const previous = this.current?.value
      this.current = { value, json }
      if (previous === undefined) return
      for (const listener of [...this.changeListeners]) this.call(() => listener({ value, previous }))
    } catch (error) {
      this.report(error instanceof SynodError ? error : validatorFailed(this.name, error))
    }
  }

  private report(problem: SynodError): void {
    this.problem = problem
    this.context.driver.outside.logger.warn('config keeps its last good value', {
      config: this.name,
      reason: problem.message,
    })
    for (const listener of [...this.problemListeners]) this.call(() => listener(problem))
  }

  /** A listener that throws harms nobody else. */
  private call(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      this.context.driver.outside.logger.error('a listener of a config failed', {
        config: this.name,
        reason: String(error),
      })
    }
  }

  /** Waits until all that the room has told is taken in. */
  private async settled(limits?: CallLimits): Promise<void> {
    const options = callOptions(this.context, limits)
    const bell = new Bell()
    this.waiting.add(bell)
    try {
      while (this.isTakingIn && !this.isClosed) await bell.heard(this.context.driver.outside, options)
    } finally {
      this.waiting.delete(bell)
    }
  }

  private belowOwn(entries: ReadonlyMap<Key, Entry>): Overrides {
    let whole = laidOver({}, this.defaults())
    for (const key of this.keys.slice(0, -1)) {
      const entry = entries.get(key)
      if (entry !== undefined) whole = laidOver(whole, this.parsed(key, entry.value))
    }
    return whole
  }

  private defaults(): Overrides {
    return asOverrides(this.options.defaults ?? {}, `the defaults of config ${this.name}`)
  }

  private parsed(key: Key, value: Uint8Array): Overrides {
    const layer = this.options.layers?.[this.keys.indexOf(key)]
    const what = layer === undefined ? 'what is stored for config' : `layer ${layer} of config`
    return asOverrides(jsonOf(value, `${what} ${this.name}`), `${what} ${this.name}`)
  }

  private accepted(whole: Overrides, what: string): Promise<SchemaOutput<S>> {
    return validated(this.options.schema, whole, `${what} config ${this.name}`)
  }

  private assertOpen(): void {
    if (this.isClosed) throw new SynodError('CLOSED', `config ${this.name} was closed; make it anew`)
  }
}

function added<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
  }
}

function validatorFailed(name: string, cause: unknown): SynodError {
  return new SynodError('VALIDATION_FAILED', `the schema of config ${name} failed on what is stored: ${cause}`, {
    cause,
  })
}
