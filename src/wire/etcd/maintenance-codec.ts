/**
 *     AlarmResponse     = header=1 alarms:AlarmMember=2*     AlarmMember = memberID:uint64=1 alarm:AlarmType=2
 *     StatusResponse    = header=1 version:string=2 dbSize:int64=3 leader:uint64=4 raftIndex:uint64=5 raftTerm:uint64=6
 *                         raftAppliedIndex:uint64=7 errors:string=8* dbSizeInUse:int64=9 isLearner:bool=10
 *                         storageVersion:string=11 dbSizeQuota:int64=12 downgradeInfo:DowngradeInfo=13
 *     HashKVRequest     = revision:int64=1
 *     HashKVResponse    = header=1 hash:uint32=2 compact_revision:int64=3 hash_revision:int64=4
 *     HashResponse      = header=1 hash:uint32=2
 *     MoveLeaderRequest = targetID:uint64=1
 */
import { type ProtobufReader, ProtobufWriter, varintTag } from '../../base/index.ts'
import { type Alarm, alarmTypes, type CoordinationStatus, type HashKvResult } from '../../engine/coordination/index.ts'
import { etcdErrors } from './errors.ts'
import { etcdClusterVersion, etcdVersion } from './versions.ts'

export function decodeHashKvRequest(reader: ProtobufReader): number {
  let revision = 0
  while (reader.next()) {
    if (reader.tag === varintTag(1)) revision = reader.int64Number()
    else reader.skip()
  }
  return revision
}

/** Returns the target. */
export function decodeMoveLeaderRequest(reader: ProtobufReader): bigint {
  let target = 0n
  while (reader.next()) {
    if (reader.tag === varintTag(1)) target = reader.uint64()
    else reader.skip()
  }
  return target
}

export function encodeAlarms(alarms: readonly Alarm[]): Uint8Array {
  const writer = new ProtobufWriter(64)
  for (const { memberId, alarm } of alarms) writer.message(2, (member) => member.int64(1, memberId).int(2, alarm))
  return writer.finish()
}

export function encodeStatus(status: CoordinationStatus): Uint8Array {
  const { group } = status
  const writer = new ProtobufWriter(128)
    .text(2, etcdVersion)
    .int(3, status.sizeBytes)
    .int64(4, group.leader)
    .int(5, group.commitIndex)
    .int(6, group.term)
    .int(7, group.appliedIndex)
  for (const error of statusErrors(status)) writer.presentText(8, error)
  return writer
    .int(9, status.sizeInUseBytes)
    .bool(10, status.isLearner)
    .text(11, etcdClusterVersion)
    .int(12, status.quotaBytes)
    .message(13, () => {})
    .finish()
}

/** As in etcd, a key space that was never compacted says -1. */
export function encodeHashKv({ hash, compactRevision, hashRevision }: HashKvResult): Uint8Array {
  return new ProtobufWriter(32)
    .int(2, hash)
    .int(3, compactRevision === 0 ? -1 : compactRevision)
    .int(4, hashRevision)
    .finish()
}

export function encodeHash(hash: number): Uint8Array {
  return new ProtobufWriter(8).int(2, hash).finish()
}

/** The name of an alarm, as etcd's clients and pages print it. */
export function alarmName(alarm: number): string {
  if (alarm === alarmTypes.noSpace) return 'NOSPACE'
  if (alarm === alarmTypes.corrupt) return 'CORRUPT'
  return alarm === alarmTypes.none ? 'NONE' : String(alarm)
}

/** Alarms in etcd's text form of the message, with its closing space. */
function statusErrors(status: CoordinationStatus): string[] {
  const errors = status.group.leader === 0n ? [etcdErrors.NO_LEADER_KNOWN.message] : []
  for (const { memberId, alarm } of status.alarms) {
    const member = memberId === 0n ? '' : `memberID:${BigInt.asUintN(64, memberId)} `
    errors.push(`${member}alarm:${alarmName(alarm)} `)
  }
  return errors
}
