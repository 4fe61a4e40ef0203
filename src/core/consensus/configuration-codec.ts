import { asBuffer } from '../../base/index.ts'
import { type Configuration, type MemberId, noMember } from '../replicated-log.ts'
import { memberBytes, WireReader, WireWriter } from './wire.ts'

/**
 * A configuration, as the payload of an entry of kind `configuration`, in a snapshot's header and in messages.
 *
 *   configuration = members(voters) members(outgoing) members(learners)
 *   members       = count:u32 member*                                  at most 1,000
 */

/** More than any cluster has. */
const membersMax = 1000

export function configurationSize(configuration: Configuration): number {
  const { voters, outgoing, learners } = configuration
  return 12 + memberBytes * (voters.length + outgoing.length + learners.length)
}

export function writeConfiguration(writer: WireWriter, configuration: Configuration): void {
  writeMembers(writer, configuration.voters)
  writeMembers(writer, configuration.outgoing)
  writeMembers(writer, configuration.learners)
}

/** Undefined, with the reader failed, when malformed. */
export function readConfiguration(reader: WireReader): Configuration | undefined {
  const voters = readMembers(reader)
  const outgoing = readMembers(reader)
  const learners = readMembers(reader)
  return reader.failed ? undefined : { voters, outgoing, learners }
}

/** A configuration as bytes, as the log and snapshots hold it. */
export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const target = Buffer.allocUnsafeSlow(configurationSize(configuration))
  writeConfiguration(new WireWriter(target, 0), configuration)
  return target
}

/** The inverse of {@link encodeConfiguration}; undefined when `bytes` are anything else. */
export function decodeConfiguration(bytes: Uint8Array): Configuration | undefined {
  const reader = new WireReader(asBuffer(bytes), 0, bytes.length)
  const configuration = readConfiguration(reader)
  return reader.remaining === 0 ? configuration : undefined
}

function writeMembers(writer: WireWriter, members: readonly MemberId[]): void {
  writer.u32(members.length)
  for (const member of members) writer.member(member)
}

function readMembers(reader: WireReader): MemberId[] {
  const count = reader.u32()
  const members = new Set<MemberId>()
  if (count > membersMax || count * memberBytes > reader.remaining) reader.failed = true
  for (let i = 0; i < count && !reader.failed; i++) {
    const member = reader.member()
    if (member === noMember || members.has(member)) reader.failed = true
    members.add(member)
  }
  return [...members]
}
