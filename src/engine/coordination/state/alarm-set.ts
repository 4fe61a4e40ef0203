import { type Alarm, alarmTypes } from '../messages.ts'

/** The raised alarms, in order of type and member, so that every node lists and hashes them alike. */
export class AlarmSet {
  private alarms: readonly Alarm[]
  /** Whether any member raised NOSPACE. Read for every command, so kept rather than searched. */
  noSpace = false
  /** Whether any member raised CORRUPT. */
  corrupt = false

  constructor(alarms: readonly Alarm[] = []) {
    this.alarms = []
    this.set(alarms)
  }

  list(): readonly Alarm[] {
    return this.alarms
  }

  has(memberId: bigint, alarm: number): boolean {
    return this.alarms.some((raised) => raised.memberId === memberId && raised.alarm === alarm)
  }

  /** Raises an alarm; one already raised stays. */
  activate(memberId: bigint, alarm: number): void {
    if (!this.has(memberId, alarm)) this.set([...this.alarms, { memberId, alarm }])
  }

  /** Withdraws an alarm. Returns whether it was raised. */
  deactivate(memberId: bigint, alarm: number): boolean {
    if (!this.has(memberId, alarm)) return false
    this.set(this.alarms.filter((raised) => raised.memberId !== memberId || raised.alarm !== alarm))
    return true
  }

  private set(alarms: readonly Alarm[]): void {
    this.alarms = alarms.toSorted((a, b) => a.alarm - b.alarm || (a.memberId < b.memberId ? -1 : 1))
    this.noSpace = alarms.some(({ alarm }) => alarm === alarmTypes.noSpace)
    this.corrupt = alarms.some(({ alarm }) => alarm === alarmTypes.corrupt)
  }
}
