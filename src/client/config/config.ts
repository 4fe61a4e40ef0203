import type { SynodError } from '../errors.ts'
import type { CallLimits } from '../limits.ts'
import type { SchemaInput, SchemaOutput, StandardSchema } from '../schema/index.ts'

/** Any part of an object, at any depth. Arrays count as a whole. */
export type PartOf<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: PartOf<T[K]> }
    : T

/** What a config is: its schema, what holds where nothing is stored, and on which other configs it stands. */
export interface ConfigOptions<S extends StandardSchema> {
  /** What the whole must be; an object. Any validator of the Standard Schema. */
  readonly schema: S
  /** What holds where nothing is stored. Default: what the schema itself makes of `{}`. */
  readonly defaults?: PartOf<SchemaInput<S>> | undefined
  /**
   * Names of other configs whose stored settings lie under this one's, the lowest first: what all services share, then
   * what those of a region share, … Changes of theirs are changes of this one.
   */
  readonly layers?: readonly string[] | undefined
  /**
   * How often, in milliseconds, the near copy is compared with the engine. One read for all configs of a connection, which
   * take the shortest. Default 5 000.
   */
  readonly revalidateMs?: number | undefined
  /** From what age on {@link Config.assertFresh} throws. Default: never. */
  readonly maxStaleMs?: number | undefined
}

/** A change of the settings that was taken: what holds now, and what held before, both as the schema gives them. */
export interface ConfigChange<S extends StandardSchema> {
  readonly value: SchemaOutput<S>
  readonly previous: SchemaOutput<S>
}

/**
 * Settings that are kept near: reading `value` costs nothing and waits for nobody, and changes arrive by themselves.
 *
 * The value is: the defaults, over them what is stored for each of the layers, over these what is stored under the
 * config's own name; as the schema makes it. What is stored is one JSON object a name, at `synod/config/NAME`, readable
 * with any client of the engine.
 *
 * What somebody stored and the schema refuses does not replace a good value: `value` stays, `problem` tells.
 */
export interface Config<S extends StandardSchema> {
  readonly name: string
  /** The newest good value. The same object until it changes; do not change it. */
  readonly value: SchemaOutput<S>
  /** What is wrong with what is stored now, or with watching it; undefined while all is well. */
  readonly problem: SynodError | undefined
  /**
   * How long ago, in milliseconds, `value` certainly was everything that was acknowledged to anyone. Falls with each
   * comparison with the engine (`revalidateMs`), and rises without bound while that cannot be reached. Changes usually
   * arrive much sooner than it tells.
   */
  staleMs(): number
  /** Throws `UNAVAILABLE` when the value is older than `maxStaleMs`. */
  assertFresh(): void
  /** Compares with the engine now: once this resolves, `value` is no older than the call. */
  refresh(limits?: CallLimits): Promise<void>
  /** Calls `listener` after each change of `value`. Gives what ends that. */
  on(event: 'change', listener: (change: ConfigChange<S>) => void): () => void
  /** Calls `listener` when there is a new `problem`. */
  on(event: 'problem', listener: (problem: SynodError) => void): () => void
  /**
   * Stores settings under the config's own name: objects member by member, everything else as a whole. `value` has them
   * once this resolves (or soon after, when the engine could not be read again). Applied exactly once, also when others set at the same time. Rejects with `VALIDATION_FAILED`,
   * before anything is stored, when the whole would not fit the schema.
   *
   * @example
   * await config.set({ limits: { requestsPerSecond: 500 } })
   */
  set(settings: PartOf<SchemaInput<S>>, limits?: CallLimits): Promise<void>
  /** Takes back what was set under the config's own name at `path`: the layers and defaults hold again. `[]`: everything. */
  unset(path: readonly string[], limits?: CallLimits): Promise<void>
  /** Follows no more; `value` stays as it is. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}
