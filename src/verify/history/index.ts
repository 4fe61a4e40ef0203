export type * from './records.ts'
export type { Checker, Verdict } from './verdict.ts'
