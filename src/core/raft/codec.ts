import { asBuffer } from '../../base/index.ts'
import { configurationSize, readConfiguration, WireReader, WireWriter, writeConfiguration } from '../consensus/index.ts'
import { entrySize, readEntries, writeEntry } from './entry-codec.ts'
import type { RaftMessage } from './message.ts'

/**
 * The messages' encoding. The transport frames it (length, sender, group).
 *
 *   message = type:u8 term:u53 body
 *
 *    1 appendEntries          prevLogIndex:u53 prevLogTerm:u53 commitIndex:u53 count:u32 entry*
 *    2 appendEntriesResponse  success:u8 index:u53 hintIndex:u53 hintTerm:u53
 *    3 heartbeat              commitIndex:u53 context:u53
 *    4 heartbeatResponse      context:u53 receivedIndex:u53
 *    5 commitNotice           commitIndex:u53 commitTerm:u53
 *    6 requestVote            lastLogIndex:u53 lastLogTerm:u53 transfer:u8 lostLeader:member
 *    7 requestVoteResponse    granted:u8
 *    8 preVote                lastLogIndex:u53 lastLogTerm:u53 lostLeader:member
 *    9 preVoteResponse        granted:u8
 *   10 installSnapshot        index:u53 snapshotTerm:u53 configuration
 *   11 readIndex              context:u53
 *   12 readIndexResponse      context:u53 index:u53
 *   13 timeoutNow
 *
 * `entry` stands in `entry-codec.ts`, `configuration` in `configuration-codec.ts`. Numbers are little-endian.
 */
const typeCodes = {
  appendEntries: 1,
  appendEntriesResponse: 2,
  heartbeat: 3,
  heartbeatResponse: 4,
  commitNotice: 5,
  requestVote: 6,
  requestVoteResponse: 7,
  preVote: 8,
  preVoteResponse: 9,
  installSnapshot: 10,
  readIndex: 11,
  readIndexResponse: 12,
  timeoutNow: 13,
} as const satisfies Record<RaftMessage['type'], number>

const headerBytes = 9
const appendHeaderBytes = headerBytes + 28

/** The bytes {@link writeMessage} will write. */
export function messageSize(message: RaftMessage): number {
  switch (message.type) {
    case 'appendEntries': {
      let size = appendHeaderBytes
      for (const entry of message.entries) size += entrySize(entry)
      return size
    }
    case 'appendEntriesResponse':
      return headerBytes + 25
    case 'heartbeat':
    case 'commitNotice':
    case 'readIndexResponse':
      return headerBytes + 16
    case 'heartbeatResponse':
      return headerBytes + 16
    case 'readIndex':
      return headerBytes + 8
    case 'requestVote':
      return headerBytes + 25
    case 'preVote':
      return headerBytes + 24
    case 'requestVoteResponse':
    case 'preVoteResponse':
      return headerBytes + 1
    case 'installSnapshot':
      return headerBytes + 16 + configurationSize(message.meta.configuration)
    case 'timeoutNow':
      return headerBytes
  }
}

/** One message in one new array. */
export function encodeMessage(message: RaftMessage): Uint8Array {
  const target = Buffer.allocUnsafe(messageSize(message))
  writeMessage(message, target, 0)
  return target
}

/** Writes `message` at `offset`, where {@link messageSize} bytes must be free; returns the offset after it. */
export function writeMessage(message: RaftMessage, target: Buffer, offset: number): number {
  const writer = new WireWriter(target, offset)
  writer.u8(typeCodes[message.type])
  writer.u53(message.term)
  writeBody(writer, message)
  return writer.offset
}

function writeBody(writer: WireWriter, message: RaftMessage): void {
  switch (message.type) {
    case 'appendEntries':
      writer.u53(message.prevLogIndex)
      writer.u53(message.prevLogTerm)
      writer.u53(message.commitIndex)
      writer.u32(message.entries.length)
      for (const entry of message.entries) writeEntry(writer, entry)
      break
    case 'appendEntriesResponse':
      writer.u8(message.success ? 1 : 0)
      writer.u53(message.index)
      writer.u53(message.hintIndex)
      writer.u53(message.hintTerm)
      break
    case 'heartbeat':
      writer.u53(message.commitIndex)
      writer.u53(message.context)
      break
    case 'heartbeatResponse':
      writer.u53(message.context)
      writer.u53(message.receivedIndex)
      break
    case 'readIndex':
      writer.u53(message.context)
      break
    case 'commitNotice':
      writer.u53(message.commitIndex)
      writer.u53(message.commitTerm)
      break
    case 'requestVote':
      writer.u53(message.lastLogIndex)
      writer.u53(message.lastLogTerm)
      writer.u8(message.transfer ? 1 : 0)
      writer.member(message.lostLeader)
      break
    case 'preVote':
      writer.u53(message.lastLogIndex)
      writer.u53(message.lastLogTerm)
      writer.member(message.lostLeader)
      break
    case 'requestVoteResponse':
    case 'preVoteResponse':
      writer.u8(message.granted ? 1 : 0)
      break
    case 'installSnapshot':
      writer.u53(message.meta.index)
      writer.u53(message.meta.term)
      writeConfiguration(writer, message.meta.configuration)
      break
    case 'readIndexResponse':
      writer.u53(message.context)
      writer.u53(message.index)
      break
    case 'timeoutNow':
      break
  }
}

/**
 * Decodes exactly `length` bytes at `offset`; undefined for anything malformed. Entries' payloads are views of `bytes`,
 * which therefore must not be changed or reused afterwards. Whether the numbers make sense together is checked by the
 * core, which ignores the message if they do not.
 */
export function decodeMessage(
  bytes: Uint8Array,
  offset = 0,
  length: number = bytes.length - offset,
): RaftMessage | undefined {
  const reader = new WireReader(asBuffer(bytes), offset, length)
  const code = reader.u8()
  const term = reader.u53()
  const message = readBody(reader, code, term)
  return reader.failed || reader.remaining !== 0 ? undefined : message
}

function readBody(reader: WireReader, code: number, term: number): RaftMessage | undefined {
  switch (code) {
    case typeCodes.appendEntries: {
      const prevLogIndex = reader.u53()
      const prevLogTerm = reader.u53()
      const commitIndex = reader.u53()
      const entries = readEntries(reader, prevLogIndex)
      return { type: 'appendEntries', term, prevLogIndex, prevLogTerm, commitIndex, entries }
    }
    case typeCodes.appendEntriesResponse: {
      const success = reader.flag()
      const index = reader.u53()
      const hintIndex = reader.u53()
      return { type: 'appendEntriesResponse', term, success, index, hintIndex, hintTerm: reader.u53() }
    }
    case typeCodes.heartbeat: {
      const commitIndex = reader.u53()
      return { type: 'heartbeat', term, commitIndex, context: reader.u53() }
    }
    case typeCodes.heartbeatResponse: {
      const context = reader.u53()
      return { type: 'heartbeatResponse', term, context, receivedIndex: reader.u53() }
    }
    case typeCodes.commitNotice: {
      const commitIndex = reader.u53()
      return { type: 'commitNotice', term, commitIndex, commitTerm: reader.u53() }
    }
    case typeCodes.requestVote: {
      const lastLogIndex = reader.u53()
      const lastLogTerm = reader.u53()
      const transfer = reader.flag()
      return { type: 'requestVote', term, lastLogIndex, lastLogTerm, transfer, lostLeader: reader.member() }
    }
    case typeCodes.preVote: {
      const lastLogIndex = reader.u53()
      const lastLogTerm = reader.u53()
      return { type: 'preVote', term, lastLogIndex, lastLogTerm, lostLeader: reader.member() }
    }
    default:
      return readRareBody(reader, code, term)
  }
}

function readRareBody(reader: WireReader, code: number, term: number): RaftMessage | undefined {
  switch (code) {
    case typeCodes.requestVoteResponse:
      return { type: 'requestVoteResponse', term, granted: reader.flag() }
    case typeCodes.preVoteResponse:
      return { type: 'preVoteResponse', term, granted: reader.flag() }
    case typeCodes.installSnapshot: {
      const index = reader.u53()
      const snapshotTerm = reader.u53()
      const configuration = readConfiguration(reader)
      if (configuration === undefined) return undefined
      return { type: 'installSnapshot', term, meta: { index, term: snapshotTerm, configuration } }
    }
    case typeCodes.readIndex:
      return { type: 'readIndex', term, context: reader.u53() }
    case typeCodes.readIndexResponse: {
      const context = reader.u53()
      return { type: 'readIndexResponse', term, context, index: reader.u53() }
    }
    case typeCodes.timeoutNow:
      return { type: 'timeoutNow', term }
    default:
      return undefined
  }
}
