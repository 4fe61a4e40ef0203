import type { CoreEffect, Entry } from '../../replicated-log.ts'
import type { PaxosMessage } from '../message.ts'
import type { Slot } from '../slot-log.ts'
import { decodeRecord } from '../slot-record.ts'

/** How traces show effects and messages. A value is `slot/first round`, with `@ballot` where it was accepted. */

export function formatEffect(effect: CoreEffect<PaxosMessage>): string {
  switch (effect.type) {
    case 'persist': {
      const { hardState, entries } = effect
      const state = hardState === undefined ? '' : ` round=${hardState.term} promised=${hardState.votedFor}`
      return `persist ${effect.id}${state}${formatList(entries.map(formatRecord))}`
    }
    case 'send': {
      const fence = effect.afterPersist > 0 ? ` after persist ${effect.afterPersist}` : ''
      return `sends ${effect.to} ${formatMessage(effect.message)}${fence}`
    }
    case 'commit':
      return `knows chosen ${effect.index}`
    case 'readReady':
      return `read ${effect.id} ready at ${effect.index}`
    case 'readFailed':
      return `read ${effect.id} failed`
    case 'status':
      return `is ${effect.role} leader=${effect.leader} round=${effect.term}`
    case 'configuration': {
      const { voters, outgoing, learners } = effect.configuration
      return `uses [${voters}]${formatMembers('outgoing', outgoing)}${formatMembers('learners', learners)} of slot ${effect.index}`
    }
    case 'sendSnapshot':
      return `streams a snapshot to ${effect.to}`
  }
}

export function formatMessage(message: PaxosMessage): string {
  const { type, round, ...body } = message
  const parts: string[] = [type, `round=${round}`]
  for (const [name, value] of Object.entries(body)) {
    if (name === 'entries') parts.push(formatList((value as readonly Entry[]).map(formatEntry)).trim() || '[]')
    else if (name === 'slots') parts.push(formatList((value as readonly Slot[]).map(formatSlot)).trim() || '[]')
    else if (name === 'meta') parts.push(`snapshot=${(value as Entry).index}`)
    else if (value !== 0 && value !== 0n && value !== false) parts.push(`${name}=${value}`)
  }
  return parts.join(' ')
}

export function formatEntry(entry: Entry): string {
  const text = entry.kind === 'command' ? Buffer.from(entry.payload).toString() : entry.kind
  return `${entry.index}/${entry.term} ${text}`
}

export function formatSlot({ ballot, value }: Slot): string {
  return `${formatEntry(value)}@${ballot}`
}

function formatRecord(record: Entry): string {
  const decoded = decodeRecord(record)
  if (decoded === undefined) return 'damaged'
  const { chosenAfter, chosenThrough } = decoded.claim
  const claim = chosenThrough === 0 ? '' : ` (chosen ${chosenAfter}..${chosenThrough})`
  return formatSlot(decoded.slot) + claim
}

function formatMembers(name: string, members: readonly bigint[]): string {
  return members.length === 0 ? '' : ` ${name} [${members}]`
}

function formatList(items: readonly string[]): string {
  return items.length === 0 ? '' : ` [${items.join(', ')}]`
}
