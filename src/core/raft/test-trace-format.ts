import { decodeConfiguration } from '../consensus/index.ts'
import type { Configuration, CoreEffect, Entry } from '../replicated-log.ts'
import type { RaftMessage } from './message.ts'

/** How the traces in `testdata/` write effects, messages and entries. */

export function formatEffect(effect: CoreEffect<RaftMessage>): string {
  switch (effect.type) {
    case 'persist': {
      const state = effect.hardState
      const hard = state === undefined ? '' : ` term=${state.term} vote=${state.votedFor}`
      return `persist ${effect.id}${hard}${formatEntries(effect.entries)}`
    }
    case 'send': {
      const fence = effect.afterPersist === 0 ? '' : ` after persist ${effect.afterPersist}`
      return `sends ${effect.to} ${formatMessage(effect.message)}${fence}`
    }
    case 'commit':
      return `commits ${effect.index}`
    case 'readReady':
      return `read ${effect.id} ready at ${effect.index}`
    case 'readFailed':
      return `read ${effect.id} failed`
    case 'status':
      return `is ${effect.role} leader=${effect.leader} term=${effect.term}`
    case 'configuration':
      return `uses ${formatConfiguration(effect.configuration)} of ${effect.index}`
    case 'sendSnapshot':
      return `streams a snapshot to ${effect.to}`
  }
}

export function formatMessage(message: RaftMessage): string {
  const { type, term, ...body } = message
  const parts: string[] = [type, `term=${term}`]
  for (const [name, value] of Object.entries(body)) {
    if (name === 'entries') parts.push(formatEntries(value as readonly Entry[]).trim() || '[]')
    else if (name === 'meta') parts.push(`snapshot=${formatPosition(value as Entry)}`)
    else if (value !== 0 && value !== 0n && value !== false) parts.push(`${name}=${value}`)
  }
  return parts.join(' ')
}

export function formatConfiguration({ voters, outgoing, learners }: Configuration): string {
  const left = outgoing.length === 0 ? '' : ` outgoing=${outgoing}`
  return `voters=${voters}${left}${learners.length === 0 ? '' : ` learners=${learners}`}`
}

export function formatEntry(entry: Entry): string {
  if (entry.kind === 'configuration') {
    const configuration = decodeConfiguration(entry.payload)
    return `${formatPosition(entry)} ${configuration === undefined ? 'malformed' : formatConfiguration(configuration)}`
  }
  const text = entry.kind === 'command' ? ` ${Buffer.from(entry.payload).toString()}` : ` ${entry.kind}`
  return formatPosition(entry) + (entry.kind === 'noop' && entry.payload.length > 0 ? ' stand-in' : text)
}

function formatPosition(position: { readonly index: number; readonly term: number }): string {
  return `${position.index}/${position.term}`
}

function formatEntries(entries: readonly Entry[]): string {
  return entries.length === 0 ? '' : ` [${entries.map(formatEntry).join(', ')}]`
}
