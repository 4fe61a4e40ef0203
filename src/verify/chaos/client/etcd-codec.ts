/**
 * The etcd v3 messages that the workload sends and reads. Field numbers are etcd's (`wire/etcd/proto/`); this side of the
 * wire is written separately from the server's on purpose, so that a mistake in one is seen by the other.
 */
import { bytesTag, ProtobufReader, ProtobufWriter, varintTag } from '../../../base/index.ts'
import type {
  Compare,
  DeleteReply,
  KeyValue,
  MemberInfo,
  NodeStatus,
  RangeReply,
  RangeRequest,
  TxnReply,
  TxnRequest,
  TxnStep,
  TxnStepReply,
  WatchEvent,
  WatchRequest,
} from './etcd-api.ts'

function encode(body: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter()
  body(writer)
  return writer.finish()
}

function writeRange(writer: ProtobufWriter, request: RangeRequest): void {
  writer.binaryString(1, request.key)
  if (request.end !== undefined) writer.binaryString(2, request.end)
  writer.bool(7, request.serializable === true)
}

function writePut(writer: ProtobufWriter, key: string, value: string, lease = 0n): void {
  writer.binaryString(1, key).binaryString(2, value).int64(3, lease)
}

export function encodeRange(request: RangeRequest): Uint8Array {
  return encode((writer) => writeRange(writer, request))
}

export function encodePut(key: string, value: string, lease: bigint | undefined): Uint8Array {
  return encode((writer) => writePut(writer, key, value, lease))
}

export function encodeDelete(key: string): Uint8Array {
  return encode((writer) => writer.binaryString(1, key))
}

const relations = { '=': 0, '>': 1, '<': 2, '!=': 3 } as const
const targets = { version: 0, createRevision: 1, modRevision: 2, value: 3 } as const

export function encodeTxn(request: TxnRequest): Uint8Array {
  return encode((writer) => {
    for (const compare of request.compares) writer.message(1, (inner) => writeCompare(inner, compare))
    for (const step of request.success) writer.message(2, (inner) => writeStep(inner, step))
    for (const step of request.failure) writer.message(3, (inner) => writeStep(inner, step))
  })
}

function writeCompare(writer: ProtobufWriter, compare: Compare): void {
  writer.int(1, relations[compare.relation]).int(2, targets[compare.target]).binaryString(3, compare.key)
  if (compare.target === 'value') writer.presentBinaryString(7, String(compare.operand))
  else writer.presentInt(4 + targets[compare.target], Number(compare.operand))
}

function writeStep(writer: ProtobufWriter, step: TxnStep): void {
  if (step.op === 'get') writer.message(1, (inner) => writeRange(inner, { key: step.key }))
  else if (step.op === 'put') writer.message(2, (inner) => writePut(inner, step.key, step.value, step.lease))
  else writer.message(3, (inner) => inner.binaryString(1, step.key))
}

export function encodeWatchCreate(request: WatchRequest): Uint8Array {
  return encode((writer) =>
    writer.message(1, (create) =>
      create.binaryString(1, request.key).binaryString(2, request.end).int(3, request.startRevision),
    ),
  )
}

export function encodeWatchProgress(): Uint8Array {
  return encode((writer) => writer.message(3, () => {}))
}

/** LeaseGrant, with an id that the server chooses. */
export function encodeLeaseGrant(ttlSeconds: number): Uint8Array {
  return encode((writer) => writer.int(1, ttlSeconds))
}

/** LeaseKeepAlive, LeaseRevoke, MemberRemove, MemberPromote and MoveLeader: one id. */
export function encodeId(id: bigint): Uint8Array {
  return encode((writer) => writer.int64(1, id))
}

export function encodeMemberAdd(peerUrl: string, isLearner: boolean): Uint8Array {
  return encode((writer) => writer.presentText(1, peerUrl).bool(2, isLearner))
}

/** CompactionRequest and HashKVRequest: one revision. */
export function encodeRevision(revision: number): Uint8Array {
  return encode((writer) => writer.int(1, revision))
}

export function encodeLinearizable(): Uint8Array {
  return encode((writer) => writer.bool(1, true))
}

/** Walks a message; `visit` reads the fields it knows and returns true for them. */
function walk(reader: ProtobufReader, visit: (tag: number) => boolean): void {
  while (reader.next()) if (!visit(reader.tag)) reader.skip()
  if (reader.malformed) throw new Error('the node sent a message that cannot be decoded')
}

/** Walks the sub-message of the present field. */
function walkInner(reader: ProtobufReader, visit: (tag: number) => boolean): void {
  const outer = reader.enter()
  while (reader.next()) if (!visit(reader.tag)) reader.skip()
  reader.leave(outer)
}

interface Header {
  readonly memberId: bigint
  readonly revision: number
}

function readHeader(reader: ProtobufReader): Header {
  const header = { memberId: 0n, revision: 0 }
  walkInner(reader, (tag) => {
    if (tag === varintTag(2)) header.memberId = reader.uint64()
    else if (tag === varintTag(3)) header.revision = reader.int64Number()
    else return false
    return true
  })
  return header
}

function readText(reader: ProtobufReader): string {
  reader.bytes()
  return reader.binaryString()
}

function readKeyValue(reader: ProtobufReader): KeyValue {
  const entry = { key: '', value: '', createRevision: 0, modRevision: 0, version: 0, lease: 0n }
  walkInner(reader, (tag) => {
    if (tag === bytesTag(1)) entry.key = readText(reader)
    else if (tag === varintTag(2)) entry.createRevision = reader.int64Number()
    else if (tag === varintTag(3)) entry.modRevision = reader.int64Number()
    else if (tag === varintTag(4)) entry.version = reader.int64Number()
    else if (tag === bytesTag(5)) entry.value = readText(reader)
    else if (tag === varintTag(6)) entry.lease = reader.int64()
    else return false
    return true
  })
  return entry
}

/** The revision of a response that is a header and nothing else of interest. */
export function decodeRevision(message: Uint8Array): number {
  const reader = new ProtobufReader(message)
  let revision = 0
  walk(reader, (tag) => {
    if (tag !== bytesTag(1)) return false
    revision = readHeader(reader).revision
    return true
  })
  return revision
}

export function decodeRange(message: Uint8Array): RangeReply {
  const reader = new ProtobufReader(message)
  const reply = { revision: 0, entries: [] as KeyValue[] }
  walk(reader, (tag) => {
    if (tag === bytesTag(1)) reply.revision = readHeader(reader).revision
    else if (tag === bytesTag(2)) reply.entries.push(readKeyValue(reader))
    else return false
    return true
  })
  return reply
}

export function decodeDelete(message: Uint8Array): DeleteReply {
  const reader = new ProtobufReader(message)
  const reply = { revision: 0, deleted: 0 }
  walk(reader, (tag) => {
    if (tag === bytesTag(1)) reply.revision = readHeader(reader).revision
    else if (tag === varintTag(2)) reply.deleted = reader.int64Number()
    else return false
    return true
  })
  return reply
}

export function decodeTxn(message: Uint8Array): TxnReply {
  const reader = new ProtobufReader(message)
  const reply = { revision: 0, succeeded: false, steps: [] as TxnStepReply[] }
  walk(reader, (tag) => {
    if (tag === bytesTag(1)) reply.revision = readHeader(reader).revision
    else if (tag === varintTag(2)) reply.succeeded = reader.bool()
    else if (tag === bytesTag(3)) reply.steps.push(readStepReply(reader))
    else return false
    return true
  })
  return reply
}

function readStepReply(reader: ProtobufReader): TxnStepReply {
  let reply: TxnStepReply = {}
  walkInner(reader, (tag) => {
    if (tag === bytesTag(1)) {
      const entries: KeyValue[] = []
      walkInner(reader, (inner) => {
        if (inner !== bytesTag(2)) return false
        entries.push(readKeyValue(reader))
        return true
      })
      reply = { entries }
    } else if (tag === bytesTag(3)) {
      let deleted = 0
      walkInner(reader, (inner) => {
        if (inner !== varintTag(2)) return false
        deleted = reader.int64Number()
        return true
      })
      reply = { deleted }
    } else return false
    return true
  })
  return reply
}

export interface WatchMessage {
  readonly revision: number
  readonly created: boolean
  readonly canceled: boolean
  readonly compactRevision: number
  readonly cancelReason: string
  readonly events: readonly WatchEvent[]
}

export function decodeWatch(bytes: Uint8Array): WatchMessage {
  const reader = new ProtobufReader(bytes)
  const events: WatchEvent[] = []
  const message = { revision: 0, created: false, canceled: false, compactRevision: 0, cancelReason: '', events }
  walk(reader, (tag) => {
    if (tag === bytesTag(1)) message.revision = readHeader(reader).revision
    else if (tag === varintTag(3)) message.created = reader.bool()
    else if (tag === varintTag(4)) message.canceled = reader.bool()
    else if (tag === varintTag(5)) message.compactRevision = reader.int64Number()
    else if (tag === bytesTag(6)) message.cancelReason = readText(reader)
    else if (tag === bytesTag(11)) events.push(readEvent(reader))
    else return false
    return true
  })
  return message
}

function readEvent(reader: ProtobufReader): WatchEvent {
  let kind: WatchEvent['kind'] = 'put'
  let entry: KeyValue = { key: '', value: '', createRevision: 0, modRevision: 0, version: 0, lease: 0n }
  walkInner(reader, (tag) => {
    if (tag === varintTag(1)) kind = reader.number() === 1 ? 'delete' : 'put'
    else if (tag === bytesTag(2)) entry = readKeyValue(reader)
    else return false
    return true
  })
  return { kind, entry }
}

/** LeaseGrant's and LeaseKeepAlive's answers: an id and a time to live in seconds. */
export function decodeLease(message: Uint8Array): { readonly id: bigint; readonly ttlSeconds: number } {
  const reader = new ProtobufReader(message)
  const lease = { id: 0n, ttlSeconds: 0 }
  walk(reader, (tag) => {
    if (tag === varintTag(2)) lease.id = reader.int64()
    else if (tag === varintTag(3)) lease.ttlSeconds = reader.int64Number()
    else return false
    return true
  })
  return lease
}

export function decodeStatus(message: Uint8Array): NodeStatus {
  const reader = new ProtobufReader(message)
  let header: Header = { memberId: 0n, revision: 0 }
  const status = { leaderId: '0', term: 0, appliedIndex: 0, isLearner: false }
  walk(reader, (tag) => {
    if (tag === bytesTag(1)) header = readHeader(reader)
    else if (tag === varintTag(4)) status.leaderId = reader.uint64().toString(16)
    else if (tag === varintTag(6)) status.term = reader.number()
    else if (tag === varintTag(7)) status.appliedIndex = reader.number()
    else if (tag === varintTag(10)) status.isLearner = reader.bool()
    else return false
    return true
  })
  return { ...status, memberId: header.memberId.toString(16), revision: header.revision }
}

export function decodeHashKv(message: Uint8Array): number {
  const reader = new ProtobufReader(message)
  let hash = 0
  walk(reader, (tag) => {
    if (tag !== varintTag(2)) return false
    hash = reader.number()
    return true
  })
  return hash
}

/** The members in `field` of a Cluster response: 2 of MemberList, 2 (the new one) and 3 (all) of MemberAdd. */
export function decodeMembers(message: Uint8Array, field: number): MemberInfo[] {
  const reader = new ProtobufReader(message)
  const members: MemberInfo[] = []
  walk(reader, (tag) => {
    if (tag !== bytesTag(field)) return false
    members.push(readMember(reader))
    return true
  })
  return members
}

function readMember(reader: ProtobufReader): MemberInfo {
  const peerUrls: string[] = []
  const member = { id: '', name: '', isLearner: false, peerUrls }
  walkInner(reader, (tag) => {
    if (tag === varintTag(1)) member.id = reader.uint64().toString(16)
    else if (tag === bytesTag(2)) member.name = readText(reader)
    else if (tag === bytesTag(3)) peerUrls.push(readText(reader))
    else if (tag === varintTag(5)) member.isLearner = reader.bool()
    else return false
    return true
  })
  return member
}
