import { asBuffer } from '../../base/index.ts'
import { configurationSize, readConfiguration, WireReader, WireWriter, writeConfiguration } from '../consensus/index.ts'
import type { PaxosMessage } from './message.ts'
import { readSlots, readValues, slotSize, valueSize, writeSlot, writeValue } from './slot-codec.ts'

/**
 * The messages' encoding. The transport frames it (length, sender, group).
 *
 *   message = type:u8 round:u53 body
 *
 *    1 prepare            fromSlot:u53 transfer:u8 lostLeader:member
 *    2 promise            granted:u8 fromSlot:u53 nextSlot:u53 complete:u8 chosenIndex:u53 count:u32 slot*
 *    3 accept             firstSlot:u53 chosenIndex:u53 count:u32 value*
 *    4 accepted           firstSlot:u53 lastSlot:u53 throughSlot:u53
 *    5 rejected
 *    6 heartbeat          chosenIndex:u53 context:u53
 *    7 heartbeatResponse  context:u53 receivedThrough:u53
 *    8 chosenNotice       chosenIndex:u53
 *    9 preVote            fromSlot:u53 lastSlot:u53 lostLeader:member
 *   10 preVoteResponse    granted:u8
 *   11 installSnapshot    index:u53 snapshotTerm:u53 configuration
 *   12 readIndex          context:u53
 *   13 readIndexResponse  context:u53 index:u53
 *   14 timeoutNow         chosenIndex:u53
 *
 * `value` and `slot` stand in `slot-codec.ts`, `configuration` in `core/consensus`. Numbers are little-endian.
 */
const typeCodes = {
  prepare: 1,
  promise: 2,
  accept: 3,
  accepted: 4,
  rejected: 5,
  heartbeat: 6,
  heartbeatResponse: 7,
  chosenNotice: 8,
  preVote: 9,
  preVoteResponse: 10,
  installSnapshot: 11,
  readIndex: 12,
  readIndexResponse: 13,
  timeoutNow: 14,
} as const satisfies Record<PaxosMessage['type'], number>

const headerBytes = 9

/** The bytes {@link writeMessage} will write. */
export function messageSize(message: PaxosMessage): number {
  return headerBytes + bodySize(message)
}

function bodySize(message: PaxosMessage): number {
  switch (message.type) {
    case 'prepare':
      return 17
    case 'promise': {
      let size = 30
      for (const slot of message.slots) size += slotSize(slot)
      return size
    }
    case 'accept': {
      let size = 20
      for (const entry of message.entries) size += valueSize(entry)
      return size
    }
    case 'accepted':
    case 'preVote':
      return 24
    case 'heartbeat':
    case 'heartbeatResponse':
    case 'readIndexResponse':
      return 16
    case 'chosenNotice':
    case 'readIndex':
    case 'timeoutNow':
      return 8
    case 'preVoteResponse':
      return 1
    case 'installSnapshot':
      return 16 + configurationSize(message.meta.configuration)
    case 'rejected':
      return 0
  }
}

/** One message in one new array. */
export function encodeMessage(message: PaxosMessage): Uint8Array {
  const target = Buffer.allocUnsafe(messageSize(message))
  writeMessage(message, target, 0)
  return target
}

/** Writes `message` at `offset`, where {@link messageSize} bytes must be free; returns the offset after it. */
export function writeMessage(message: PaxosMessage, target: Buffer, offset: number): number {
  const writer = new WireWriter(target, offset)
  writer.u8(typeCodes[message.type])
  writer.u53(message.round)
  writeBody(writer, message)
  return writer.offset
}

function writeBody(writer: WireWriter, message: PaxosMessage): void {
  switch (message.type) {
    case 'prepare':
      writer.u53(message.fromSlot)
      writer.u8(message.transfer ? 1 : 0)
      writer.member(message.lostLeader)
      break
    case 'promise':
      writer.u8(message.granted ? 1 : 0)
      writer.u53(message.fromSlot)
      writer.u53(message.nextSlot)
      writer.u8(message.complete ? 1 : 0)
      writer.u53(message.chosenIndex)
      writer.u32(message.slots.length)
      for (const slot of message.slots) writeSlot(writer, slot)
      break
    case 'accept':
      writer.u53(message.firstSlot)
      writer.u53(message.chosenIndex)
      writer.u32(message.entries.length)
      for (const entry of message.entries) writeValue(writer, entry)
      break
    case 'accepted':
      writer.u53(message.firstSlot)
      writer.u53(message.lastSlot)
      writer.u53(message.throughSlot)
      break
    case 'heartbeat':
      writer.u53(message.chosenIndex)
      writer.u53(message.context)
      break
    case 'heartbeatResponse':
      writer.u53(message.context)
      writer.u53(message.receivedThrough)
      break
    default:
      writeRareBody(writer, message)
  }
}

type FrequentType = 'prepare' | 'promise' | 'accept' | 'accepted' | 'heartbeat' | 'heartbeatResponse'

function writeRareBody(writer: WireWriter, message: Exclude<PaxosMessage, { readonly type: FrequentType }>): void {
  switch (message.type) {
    case 'chosenNotice':
    case 'timeoutNow':
      writer.u53(message.chosenIndex)
      break
    case 'preVote':
      writer.u53(message.fromSlot)
      writer.u53(message.lastSlot)
      writer.member(message.lostLeader)
      break
    case 'preVoteResponse':
      writer.u8(message.granted ? 1 : 0)
      break
    case 'installSnapshot':
      writer.u53(message.meta.index)
      writer.u53(message.meta.term)
      writeConfiguration(writer, message.meta.configuration)
      break
    case 'readIndex':
      writer.u53(message.context)
      break
    case 'readIndexResponse':
      writer.u53(message.context)
      writer.u53(message.index)
      break
    case 'rejected':
      break
  }
}

/**
 * Decodes exactly `length` bytes at `offset`; undefined for anything malformed. Payloads are views of `bytes`, which
 * therefore must not be changed or reused afterwards. Whether the numbers make sense together is checked by the core,
 * which ignores the message if they do not.
 */
export function decodeMessage(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): PaxosMessage | undefined {
  const reader = new WireReader(asBuffer(bytes), offset, length)
  const code = reader.u8()
  const round = reader.u53()
  const message = readBody(reader, code, round)
  return reader.failed || reader.remaining !== 0 ? undefined : message
}

function readBody(reader: WireReader, code: number, round: number): PaxosMessage | undefined {
  switch (code) {
    case typeCodes.prepare: {
      const fromSlot = reader.u53()
      const transfer = reader.flag()
      return { type: 'prepare', round, fromSlot, transfer, lostLeader: reader.member() }
    }
    case typeCodes.promise: {
      const granted = reader.flag()
      const fromSlot = reader.u53()
      const nextSlot = reader.u53()
      const complete = reader.flag()
      const chosenIndex = reader.u53()
      return { type: 'promise', round, granted, fromSlot, nextSlot, complete, chosenIndex, slots: readSlots(reader) }
    }
    case typeCodes.accept: {
      const firstSlot = reader.u53()
      const chosenIndex = reader.u53()
      return { type: 'accept', round, firstSlot, chosenIndex, entries: readValues(reader, firstSlot) }
    }
    case typeCodes.accepted: {
      const firstSlot = reader.u53()
      const lastSlot = reader.u53()
      return { type: 'accepted', round, firstSlot, lastSlot, throughSlot: reader.u53() }
    }
    case typeCodes.heartbeat: {
      const chosenIndex = reader.u53()
      return { type: 'heartbeat', round, chosenIndex, context: reader.u53() }
    }
    case typeCodes.heartbeatResponse: {
      const context = reader.u53()
      return { type: 'heartbeatResponse', round, context, receivedThrough: reader.u53() }
    }
    default:
      return readRareBody(reader, code, round)
  }
}

function readRareBody(reader: WireReader, code: number, round: number): PaxosMessage | undefined {
  switch (code) {
    case typeCodes.rejected:
      return { type: 'rejected', round }
    case typeCodes.chosenNotice:
      return { type: 'chosenNotice', round, chosenIndex: reader.u53() }
    case typeCodes.timeoutNow:
      return { type: 'timeoutNow', round, chosenIndex: reader.u53() }
    case typeCodes.preVote: {
      const fromSlot = reader.u53()
      const lastSlot = reader.u53()
      return { type: 'preVote', round, fromSlot, lastSlot, lostLeader: reader.member() }
    }
    case typeCodes.preVoteResponse:
      return { type: 'preVoteResponse', round, granted: reader.flag() }
    case typeCodes.installSnapshot: {
      const index = reader.u53()
      const term = reader.u53()
      const configuration = readConfiguration(reader)
      if (configuration === undefined) return undefined
      return { type: 'installSnapshot', round, meta: { index, term, configuration } }
    }
    case typeCodes.readIndex:
      return { type: 'readIndex', round, context: reader.u53() }
    case typeCodes.readIndexResponse: {
      const context = reader.u53()
      return { type: 'readIndexResponse', round, context, index: reader.u53() }
    }
    default:
      return undefined
  }
}
