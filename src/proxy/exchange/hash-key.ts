/** What requests have in common that a hashing algorithm sends to the same endpoint. */
import { queryStart } from '../routing/index.ts'
import { cookieValue } from './cookie.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'
import type { RequestPlan } from './request-plan.ts'

/**
 * The key of a request at `upstream`; undefined when the algorithm wants none, or the request has none. An empty value is none,
 * as with nginx: all who sent one would meet at a single endpoint.
 */
export function hashKeyOf(plan: RequestPlan, upstream: ProxyUpstream): string | undefined {
  if (!upstream.isHashing) return undefined
  const key = sentKeyOf(plan, upstream)
  return key === '' ? undefined : key
}

function sentKeyOf(plan: RequestPlan, upstream: ProxyUpstream): string | undefined {
  const { balance } = upstream.config.settings
  const source = balance.hashKey
  if (balance.policy === 'ip-hash' || source.type === 'client-ip') return plan.clientAddress
  const { head } = plan
  switch (source.type) {
    case 'header':
      return source.name === 'host' ? head.authority : head.get(source.name)
    case 'cookie':
      return cookieValue(head, source.name)
    case 'path':
      return plan.path.matched
    case 'query':
      return queryValue(head.target, source.name)
  }
}

/** The value of the first parameter of that name, as sent. */
function queryValue(target: string, name: string): string | undefined {
  for (const pair of target.slice(queryStart(target) + 1).split('&')) {
    if (pair.startsWith(name) && pair[name.length] === '=') return pair.slice(name.length + 1)
  }
  return undefined
}
