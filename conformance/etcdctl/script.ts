// The form of a differential script: etcdctl command lines that run in order, the same on both sides.
import type { ServerKind } from '../cluster.ts'

/** A command that runs to its end; its exit code, output and error output are compared. */
export interface Run {
  /**
   * The command line after `etcdctl --endpoints=…`, with shell quoting. `{rev}` is the revision at the start of the
   * script, `{rev+N}` is N later, `{NAME}` is a captured value, `{endpoints}` lists all members. `{PEER_n4}` is the peer
   * URL of the founder or spare n4, `{ID_n1}` the id of the founder n1.
   */
  readonly run: string
  readonly stdin?: string
  /** Takes values out of the output for later lines: the first group. They are masked wherever they appear. */
  readonly capture?: Readonly<Record<string, RegExp>>
  /** More to mask, beyond what is masked everywhere. */
  readonly mask?: readonly (readonly [RegExp, string])[]
  /** Compares output lines, or the members of a JSON answer, without regard to their order. */
  readonly unordered?: true
  /** Talks to all members instead of the script's one. */
  readonly everyMember?: true
  /** Talks to this member of the cluster. */
  readonly member?: number
  /** Runs again, up to ten seconds, while it fails: what it needs takes time. */
  readonly untilOk?: true
}

/** Starts a command that goes on beside the following steps, until `finish`. */
export interface Start extends Run {
  readonly start: string
  /** Goes on once its output has this many lines. */
  readonly lines?: number
  /** Its output is a matter of timing: only that it prints the lines that `finish` waits for is required. */
  readonly uncompared?: true
}

/** Waits until a started command has printed that many lines, interrupts it and compares it as `Run` does. */
export interface Finish {
  readonly finish: string
  readonly lines: number
  /** Lets the command end by itself instead of interrupting it. */
  readonly ends?: true
}

/** Starts a spare as a member that was added, with the captured value INITIAL as its --initial-cluster. */
export interface Join {
  readonly join: string
}

/** Kills a member. */
export interface Crash {
  readonly crash: string
}

/** Waits until a member's process has ended by itself. */
export interface Leave {
  readonly leaves: string
}

/** Lets time pass, where time is what the script is about. */
export interface Pause {
  readonly pauseMs: number
}

export type Step = string | Run | Start | Finish | Join | Crash | Leave | Pause

export interface Script {
  readonly name: string
  readonly steps: readonly Step[]
  /** Runs in `npm test` too, not only in the full suite. */
  readonly smoke?: true
  /** Where each command goes: one member for the whole script (default), or the next one for every command. */
  readonly rotate?: true
  /** Differences that stand, by subject, each with its reason: reported as todo, never as passed. */
  readonly differs?: Partial<Record<ServerKind, string>>
}

export interface ScriptGroup {
  readonly name: string
  readonly scripts: readonly Script[]
  readonly nodes?: number
  /** Places for members that join. */
  readonly spares?: number
  /** Each script begins on clusters of its own: it changes them for good. */
  readonly fresh?: true
  readonly flags?: readonly string[]
}

/** Splits a command line at spaces, with single and double quotes and backslash escapes as a shell has them. */
export function splitCommandLine(line: string): string[] {
  const words: string[] = []
  const pattern = /\s*((?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+)/gy
  for (let match = pattern.exec(line); match !== null; match = pattern.exec(line)) {
    words.push(
      match[1]!.replace(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (_, single, double, escaped) =>
        single !== undefined ? single : double !== undefined ? double.replace(/\\(.)/g, '$1') : escaped,
      ),
    )
  }
  return words
}
