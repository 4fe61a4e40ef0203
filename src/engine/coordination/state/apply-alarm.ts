import { type Alarm, type AlarmRequest, alarmActions, alarmTypes } from '../messages.ts'
import type { AlarmResult } from '../results.ts'
import type { StateData } from './data.ts'

/** Raises or withdraws an alarm; the answer holds it when there was something to do (etcd's `alarms.go`). */
export function applyAlarm({ alarms, store }: StateData, request: AlarmRequest): AlarmResult {
  const { action, memberId, alarm } = request
  const changed: Alarm[] = []
  if (action === alarmActions.activate && alarm !== alarmTypes.none) {
    alarms.activate(memberId, alarm)
    changed.push({ memberId, alarm })
  } else if (action === alarmActions.deactivate && alarms.deactivate(memberId, alarm)) {
    changed.push({ memberId, alarm })
  }
  return { ok: true, type: 'alarm', revision: store.revision, alarms: changed }
}

/** The raised alarms of a type, or all of them. */
export function selectAlarms({ alarms }: StateData, alarm: number): readonly Alarm[] {
  return alarm === alarmTypes.none ? alarms.list() : alarms.list().filter((raised) => raised.alarm === alarm)
}
