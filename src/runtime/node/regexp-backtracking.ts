import { setFlagsFromString } from 'node:v8'

/**
 * For a process that matches regular expressions against what strangers send: from the next one that is compiled on, V8
 * goes on in linear time after 50,000 steps back, where its linear engine knows the expression (no backreferences, no
 * lookaround, counts up to 16). Otherwise one path could hold the process for ever.
 */
export function boundRegExpBacktracking(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks')
}
