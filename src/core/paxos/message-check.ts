import type { Entry, SnapshotMeta } from '../replicated-log.ts'
import type { PaxosMessage, PromiseMessage } from './message.ts'

/**
 * Whether a message could have come from a correct peer, judged by itself. What a peer sends is outside input: nonsense
 * is dropped here, so that handlers may rely on the order of slots and rounds.
 */
export function isSensible(message: PaxosMessage): boolean {
  if (!isPosition(message.round) || message.round < 1 || message.round > roundMax) return false
  switch (message.type) {
    case 'prepare':
      return isSlot(message.fromSlot)
    case 'promise':
      return !message.granted || isSensiblePromise(message)
    case 'accept':
      return isPosition(message.chosenIndex) && isRun(message.firstSlot, message.entries, message.round)
    case 'accepted':
      return isSlot(message.firstSlot) && message.lastSlot >= message.firstSlot - 1 && isPosition(message.throughSlot)
    case 'heartbeat':
      return isPosition(message.chosenIndex) && isPosition(message.context)
    case 'heartbeatResponse':
      return isPosition(message.context) && isPosition(message.receivedThrough)
    case 'chosenNotice':
    case 'timeoutNow':
      return isPosition(message.chosenIndex)
    case 'preVote':
      return isSlot(message.fromSlot) && isPosition(message.lastSlot)
    case 'installSnapshot':
      return isSensibleSnapshot(message.meta) && message.meta.term <= message.round
    case 'readIndex':
      return isPosition(message.context)
    case 'readIndexResponse':
      return isPosition(message.context) && isPosition(message.index)
    case 'rejected':
    case 'preVoteResponse':
      return true
    default:
      return false
  }
}

/** No cluster gets there; whoever enters it can still begin rounds. */
const roundMax = 2 ** 52

function isSensiblePromise(message: PromiseMessage): boolean {
  const { fromSlot, nextSlot, chosenIndex, slots, round } = message
  if (!isSlot(fromSlot) || !isSlot(nextSlot) || nextSlot < fromSlot || !isPosition(chosenIndex)) return false
  let previous = fromSlot - 1
  for (const { ballot, value } of slots) {
    if (value.index <= previous || value.index >= nextSlot) return false
    if (!isPosition(ballot) || ballot > round || !isValue(value, ballot)) return false
    previous = value.index
  }
  return holdsWhatIsChosen(message)
}

/** What an acceptor knows to be chosen it has, without gaps: else a page could claim any length by its numbers alone. */
function holdsWhatIsChosen({ fromSlot, nextSlot, complete, chosenIndex, slots }: PromiseMessage): boolean {
  if (complete && chosenIndex >= nextSlot) return false
  const last = Math.min(chosenIndex, nextSlot - 1)
  return last < fromSlot || slots[last - fromSlot]?.value.index === last
}

function isRun(firstSlot: number, entries: readonly Entry[], round: number): boolean {
  if (!isSlot(firstSlot) || !isPosition(firstSlot + entries.length)) return false
  return entries.every((entry, i) => entry.index === firstSlot + i && isValue(entry, round))
}

/** A value carries the round that proposed it first, which is no higher than the ballot it is in now. */
function isValue(entry: Entry, ballot: number): boolean {
  return isPosition(entry.term) && entry.term >= 1 && entry.term <= ballot
}

function isSensibleSnapshot(meta: SnapshotMeta): boolean {
  return isSlot(meta.index) && isPosition(meta.term) && meta.term >= 1 && meta.configuration.voters.length > 0
}

function isSlot(value: number): boolean {
  return isPosition(value) && value >= 1
}

function isPosition(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
