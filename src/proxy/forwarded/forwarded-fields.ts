/** What upstreams are told of the client: `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `Forwarded` (RFC 7239). */
import type { HttpListenerConfig } from '../config/index.ts'
import type { ClientInfo, Fields, RequestHead } from '../http/index.ts'
import type { CidrSet } from './cidr.ts'
import { joinedValues } from './client-address.ts'

export type ForwardedMode = HttpListenerConfig['forwardedHeaders']

const forwardedNames: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'forwarded',
])

/** Whether this module alone decides on the field: what the client sent is never passed on as it stands. */
export function isForwardedField(name: string): boolean {
  return forwardedNames.has(name)
}

/**
 * Appends the fields of `mode` to `out`. What a peer within `trusted` sent is extended (lists) or kept (single values);
 * what others sent is replaced.
 */
export function appendForwardedFields(
  out: string[],
  mode: ForwardedMode,
  head: RequestHead,
  client: ClientInfo,
  trusted: CidrSet,
): void {
  if (mode === 'none') return
  const believed: Fields = trusted.has(client.address) ? head.fields : []
  if (mode !== 'forwarded') appendXForwarded(out, head, client, believed)
  if (mode === 'x-forwarded') return
  const earlier = joinedValues(believed, 'forwarded')
  const own = forwardedElement(head, client)
  out.push('forwarded', earlier === undefined ? own : `${earlier}, ${own}`)
}

function appendXForwarded(out: string[], head: RequestHead, client: ClientInfo, believed: Fields): void {
  const earlier = joinedValues(believed, 'x-forwarded-for')
  out.push('x-forwarded-for', earlier === undefined ? client.address : `${earlier}, ${client.address}`)
  const proto = joinedValues(believed, 'x-forwarded-proto')
  out.push('x-forwarded-proto', proto ?? head.scheme)
  const host = joinedValues(believed, 'x-forwarded-host')
  if (host !== undefined || head.authority !== '') out.push('x-forwarded-host', host ?? head.authority)
  // An earlier proxy that told how the client came, but not to which port: ours would be false beside what it told.
  const isToldOtherwise = proto !== undefined || host !== undefined
  const port = joinedValues(believed, 'x-forwarded-port') ?? (isToldOtherwise ? undefined : String(client.localPort))
  if (port !== undefined) out.push('x-forwarded-port', port)
}

/** One hop (RFC 7239 §4): IPv6 addresses in brackets and quotes (§6), a host in quotes when it has a port. */
function forwardedElement(head: RequestHead, client: ClientInfo): string {
  const node = client.address.includes(':') ? `"[${client.address}]"` : client.address
  const host = head.authority === '' ? '' : `;host=${tokenOrQuoted(head.authority)}`
  return `for=${node}${host};proto=${head.scheme}`
}

function tokenOrQuoted(value: string): string {
  return /^[!#$%&'*+\-.^_`|~\w]+$/.test(value) ? value : `"${value.replace(/["\\]/g, '\\$&')}"`
}
