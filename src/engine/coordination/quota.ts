import { encodeAlarmRequest } from './codec/index.ts'
import { alarmActions, alarmTypes } from './messages.ts'
import type { CoordinationStateMachine } from './state/index.ts'

/** etcd's default for --quota-backend-bytes. */
const quotaBytesDefault = 2 * 1024 * 1024 * 1024

/**
 * Keeps the store within --quota-backend-bytes. Each node judges the requests that it receives by its own store, before
 * they are proposed; past the quota it raises the NOSPACE alarm, a command, and from there on the state machine of every
 * node refuses what adds (etcd's `quota.go`). Compaction frees space; an operator then withdraws the alarm.
 *
 * Differs: etcd also answers NOSPACE to a put that was applied, when the quota was found to be exceeded only then. A put
 * that was applied is reported as applied here; the alarm is raised all the same.
 *
 * - I1  At most one alarm is being proposed; `waiting` are those who wait for it.
 */
export class QuotaGuard {
  private readonly machine: CoordinationStateMachine
  private readonly memberId: bigint
  private readonly bytesMax: number
  private readonly proposeAlarm: (request: Uint8Array, done: () => void) => void
  private waiting: (() => void)[] | undefined

  /** `quotaBytes` is the flag: 0 for the default, negative for none. */
  constructor(
    machine: CoordinationStateMachine,
    memberId: bigint,
    quotaBytes: number,
    proposeAlarm: (request: Uint8Array, done: () => void) => void,
  ) {
    this.machine = machine
    this.memberId = memberId
    this.bytesMax = quotaBytes === 0 ? quotaBytesDefault : quotaBytes < 0 ? Number.POSITIVE_INFINITY : quotaBytes
    this.proposeAlarm = proposeAlarm
  }

  /** The quota in force; 0 for none. */
  get quotaBytes(): number {
    return this.bytesMax === Number.POSITIVE_INFINITY ? 0 : this.bytesMax
  }

  /** Whether something that adds `costBytes` still fits. What adds nothing always does. */
  admits(costBytes: number): boolean {
    return costBytes === 0 || this.machine.store.sizeInUseBytes + costBytes < this.bytesMax
  }

  /** Raises the alarm, unless it is raised; calls back, possibly at once, when that has been decided. */
  raise(done: () => void): void {
    if (this.machine.present.alarms.has(this.memberId, alarmTypes.noSpace)) {
      done()
      return
    }
    if (this.waiting !== undefined) {
      this.waiting.push(done)
      return
    }
    this.waiting = [done]
    const request = { action: alarmActions.activate, memberId: this.memberId, alarm: alarmTypes.noSpace }
    this.proposeAlarm(encodeAlarmRequest(request), () => {
      const waiting = this.waiting ?? []
      this.waiting = undefined
      for (const callback of waiting) callback()
    })
  }

  /** After something was applied: raises the alarm if that took the last of the quota. */
  checkAfterApply(): void {
    if (!this.admits(1)) this.raise(() => {})
  }
}
