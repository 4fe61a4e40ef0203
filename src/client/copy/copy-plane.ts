/** Moves a plane to another engine. */
import { binaryString, utf8Bytes } from '../../base/index.ts'
import type { PlaneContext } from '../context.ts'
import type { Key, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { persist } from '../turns/index.ts'
import { type Comparison, compareSides } from './compare-sides.ts'
import { copyKeys } from './copy-keys.ts'
import { type Floors, neededFloors, raiseFloors } from './floors.ts'
import { decodeProgress, progressKey, type SavedProgress } from './progress-key.ts'
import { newestRevision } from './side.ts'
import { conflict } from './write-batch.ts'

/** `compare`: both sides are read, and nothing is changed. `copy`: keys are written. `verify`: both are read again. */
export type CopyPhase = 'compare' | 'copy' | 'verify'

export interface CopyProgress {
  readonly phase: CopyPhase
  /** Seen to in this phase. */
  readonly keys: number
  /** Known from the first phase on. */
  readonly keysInAll: number | undefined
}

export interface CopyOptions {
  /** Only keys that begin with one of these; the primitives' keys begin with `synod/`. Default: all. */
  readonly prefixes?: readonly (string | Uint8Array)[] | undefined
  /** Changes nothing; the report tells what would be done. */
  readonly dryRun?: boolean | undefined
  /** Replaces other values in the target. Default: any of them ends the copy before it begins. */
  readonly overwrite?: boolean | undefined
  /** Goes on where an unfinished copy into this target ended. */
  readonly resume?: boolean | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: CopyProgress) => void
}

export interface CopyReport {
  readonly dryRun: boolean
  /** Keys of the source that move. */
  readonly keys: number
  /** Of their keys and values. */
  readonly bytes: number
  /** The same by room; the program's own keys are `kv`. */
  readonly rooms: Readonly<Record<string, number>>
  /** Written, or, in a dry run, to be written: `missing` and `different` ones. */
  readonly written: number
  /** In the target with the same value before. */
  readonly equal: number
  /** In the target with another value before. */
  readonly different: number
  /** In the target only; left alone. */
  readonly extra: number
  /** Stay behind: what hangs on a session, and what means something only in the source. */
  readonly leased: number
  readonly staying: number
  /** The source's revision that was copied, where it reads as of one. */
  readonly fromRevision: Revision
  /** Every token of the target is above this, and so above all of the source. */
  readonly tokenFloor: number
  /** Every id of the target is of a later moment, in milliseconds since the Unix epoch. */
  readonly idsFloorMs: number
  /** SHA-256 over all keys and values, found equal on both sides after the copy; in a dry run, the source's. */
  readonly digest: string
}

/**
 * Copies keys, counters, config, the registry's definitions, fences, limits and jobs from one plane to another, raises
 * the target's floors, so that fencing tokens and ids never go back, and compares both sides by digest.
 *
 * Sessions do not move, and so nothing that hangs on them: locks and leaderships are won anew in the target, with greater
 * tokens. Revisions and versions do not move either: what a program remembers of them means nothing in the target.
 *
 * Stop the programs that use the source first. Where the source reads as of a revision the copy is of one moment; what
 * was written after it is found by the comparison at the end and told as `CONFLICT`. A lock that is acquired in the source
 * after the copy can have a token that the target gives again.
 *
 * Safe to repeat: keys that are there with the same value are left. With `resume` it begins where the last one ended.
 * Rejects with `CONFLICT` when the target has other values (nothing is changed then), when an unfinished copy is found, or
 * when the sides differ at the end.
 */
export function copyPlane(from: PlaneContext, to: PlaneContext, options: CopyOptions = {}): Promise<CopyReport> {
  return to.tracing.span('copy', { 'synod.from': from.driver.engine }, () => new Copy(from, to, options).run())
}

class Copy {
  private readonly from: PlaneContext
  private readonly to: PlaneContext
  private readonly options: CopyOptions
  private readonly prefixes: readonly Key[]

  constructor(from: PlaneContext, to: PlaneContext, options: CopyOptions) {
    this.from = from
    this.to = to
    this.options = options
    this.prefixes = (options.prefixes ?? []).map((prefix) =>
      binaryString(typeof prefix === 'string' ? utf8Bytes(prefix) : prefix),
    )
  }

  async run(): Promise<CopyReport> {
    const { dryRun = false, overwrite = false, signal } = this.options
    const saved = await this.savedProgress()
    const { plan, fromRevision, after } = await this.plan(saved)
    const floors = await neededFloors(this.from, this.to, await newestRevision(this.from, signal))
    if (dryRun) return this.report(plan, plan.missing + plan.different, fromRevision, floors, plan.fromDigest)
    if (plan.different > 0 && !overwrite) throw conflict(plan.differentKeys, plan.different)
    await raiseFloors(this.to, floors, { signal })
    const written = await copyKeys(this.from, this.to, {
      ...{ prefixes: this.prefixes, fromRevision, after, overwrite, signal },
      onKeys: (keys) => this.options.onProgress?.({ phase: 'copy', keys, keysInAll: plan.keys }),
    })
    // Whoever still held something of the source until now is below these.
    const last = await neededFloors(this.from, this.to, await newestRevision(this.from, signal))
    await raiseFloors(this.to, last, { signal })
    const verified = await this.compare('verify', undefined, plan.keys)
    await this.forgetProgress()
    if (verified.fromDigest !== verified.toDigest) throw differs(verified)
    return this.report(plan, written, fromRevision, last, verified.fromDigest)
  }

  /** The record of an unfinished copy, if it is to be continued. */
  private async savedProgress(): Promise<SavedProgress | undefined> {
    const { resume = false, overwrite = false, dryRun = false, signal } = this.options
    const { entry } = await this.to.driver.get(progressKey(this.to), { signal })
    if (entry === undefined) return undefined
    if (!resume) {
      if (overwrite || dryRun) return undefined
      throw new SynodError('CONFLICT', 'a copy into this target did not finish; resume it, or overwrite what it left', {
        retryable: false,
      })
    }
    const saved = decodeProgress(entry)
    if (saved.prefixes.join('\0') !== this.prefixes.join('\0'))
      throw new SynodError(
        'INVALID_ARGUMENT',
        'the unfinished copy was of other prefixes; resume it with the same ones',
      )
    return saved
  }

  /** Compares at the moment that an unfinished copy was of, if the source still has it, and otherwise now. */
  private async plan(
    saved: SavedProgress | undefined,
  ): Promise<{ plan: Comparison; fromRevision: Revision; after: Key | undefined }> {
    if (saved !== undefined && this.from.driver.can.atRevision) {
      try {
        const plan = await this.compare('compare', saved.fromRevision, undefined)
        return { plan, fromRevision: saved.fromRevision, after: saved.after }
      } catch (error) {
        if (!(error instanceof SynodError && error.code === 'COMPACTED')) throw error
      }
    }
    const fromRevision = await newestRevision(this.from, this.options.signal)
    return { plan: await this.compare('compare', fromRevision, undefined), fromRevision, after: undefined }
  }

  private compare(
    phase: CopyPhase,
    fromRevision: Revision | undefined,
    keysInAll: number | undefined,
  ): Promise<Comparison> {
    const { signal, onProgress } = this.options
    const onKey = (keys: number): void => onProgress?.({ phase, keys, keysInAll })
    return compareSides(this.from, this.to, { prefixes: this.prefixes, fromRevision, signal, onKey })
  }

  private async forgetProgress(): Promise<void> {
    const { driver } = this.to
    const remove = { compares: [], success: [{ type: 'delete', key: progressKey(this.to) } as const] }
    await persist(driver.outside, { signal: this.options.signal }, (call) => driver.transact(remove, call))
  }

  private report(
    plan: Comparison,
    written: number,
    fromRevision: Revision,
    floors: Floors,
    digest: string,
  ): CopyReport {
    const { keys, bytes, rooms, equal, different, extra, leased, staying } = plan
    return {
      ...{
        dryRun: this.options.dryRun ?? false,
        keys,
        bytes,
        rooms,
        written,
        equal,
        different,
        extra,
        leased,
        staying,
      },
      ...{ fromRevision, tokenFloor: floors.tokens, idsFloorMs: floors.idsMs, digest },
    }
  }
}

function differs({ missing, different }: Comparison): SynodError {
  return new SynodError(
    'CONFLICT',
    `after the copy ${different} keys differ and ${missing} are missing: somebody wrote meanwhile; stop the programs that use either side, and copy again with overwrite`,
    { retryable: false, outcome: 'unknown' },
  )
}
