/** Where a command stands in the log. */
export interface CommandPosition {
  readonly index: number
  /**
   * The highest term of any entry up to this one. It never falls: what a leader proposed and a later one recovered after it had
   * opened its own term (Multi-Paxos) comes in the later term, so that "only in the term of the one who judged" can be told.
   */
  readonly term: number
}

/**
 * A deterministic state machine fed by a consensus group. The same commands give the same state, byte for byte, on
 * every node and in every run: time, ids and randomness come only out of commands.
 */
export interface StateMachine<Result> {
  /**
   * Applies one committed command, to its end, in this turn. Never throws for what `command` contains: a payload that
   * cannot be decoded has a deterministic, rejected result. `wanted` tells whether a caller on this node waits for the
   * result; when false, the return value is ignored and need not be built. References in a result are used before the
   * turn ends.
   */
  apply(command: Uint8Array, position: CommandPosition, wanted: boolean): Result
  /** A consistent image of the state at this moment, read in chunks while commands go on being applied. */
  snapshot(): StateSnapshot
  /** Begins to build a state from a snapshot's chunks. Takes the place of the present state only at `finish`. */
  restore(): StateRestorer
}

export interface StateSnapshot {
  /** The next chunk of about `chunkBytes`, or undefined at the end. One chunk a turn. */
  next(chunkBytes: number): Uint8Array | undefined
  /** Must be called once, also after the end: frees what the snapshot pins. */
  close(): void
}

export interface StateRestorer {
  /** The chunks, in order, cut anywhere. Throws a RestoreError when damaged. */
  write(chunk: Uint8Array): void
  /** Puts the new state in place, in this turn. Throws a RestoreError when the image is incomplete. */
  finish(): void
}

/** A snapshot that is damaged, incomplete, or of a format this version does not know. */
export class RestoreError extends Error {
  override readonly name = 'RestoreError'
}
