/**
 * A list of endpoints as people write it, in YAML or JSON:
 *
 * ```yaml
 * - 10.0.0.1:8080
 * - { host: 10.0.0.2, port: 8080, weight: 2, zone: b, priority: 1, id: second, metadata: { rack: 7 } }
 * - { address: '10.0.0.3:8080', weight: 2 }
 * ```
 *
 * or the same below the key `endpoints`.
 */
import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { EndpointAddress } from '../upstream/index.ts'
import { endpointsMax, hostPort } from './resolver.ts'

const knownKeys = new Set(['address', 'id', 'host', 'port', 'weight', 'priority', 'zone', 'metadata'])
/** An alias may stand for a large part of the document; more than these of one are an attack, not a file. */
const aliasesMax = 100
export const weightMax = 1_000_000
export const priorityMax = 1_000

/** Throws an error that says what is wrong, and in which line. */
export function parseEndpointList(text: string): EndpointAddress[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true })
  const [error] = document.errors
  if (error !== undefined) throw new Error(error.message.split('\n')[0] ?? 'it is no YAML')
  const top = document.contents
  const list = isMap(top) ? top.get('endpoints', true) : top
  if (!isSeq(list))
    throw new Error('it holds no list of endpoints: write `- host:port` lines, or such a list below `endpoints:`')
  if (list.items.length > endpointsMax)
    throw new Error(`it has ${list.items.length} endpoints; at most ${endpointsMax} are allowed`)
  const seen = new Set<string>()
  return list.items.map((item) => {
    const node = item as Node
    const line = lines.linePos(node.range?.[0] ?? 0).line
    try {
      const endpoint = endpointOf(node.toJS(document, { maxAliasCount: aliasesMax }))
      if (seen.has(endpoint.id)) throw new Error(`the id '${endpoint.id}' is there twice: give one another \`id\``)
      seen.add(endpoint.id)
      return endpoint
    } catch (problem) {
      throw new Error(`line ${line}: ${(problem as Error).message}`)
    }
  })
}

function endpointOf(value: unknown): EndpointAddress {
  if (typeof value === 'string') return fromFields(splitHostPort(value))
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${JSON.stringify(value)} is no endpoint: write host:port, or a mapping with host and port`)
  const fields = value as Readonly<Record<string, unknown>>
  if (fields['address'] === undefined) return fromFields(fields)
  if (typeof fields['address'] !== 'string') throw new Error('address is a text, host:port')
  if (fields['host'] !== undefined || fields['port'] !== undefined)
    throw new Error('write address, or host and port, not both')
  return fromFields({ ...fields, ...splitHostPort(fields['address']) })
}

function fromFields(fields: Readonly<Record<string, unknown>>): EndpointAddress {
  for (const key of Object.keys(fields))
    if (!knownKeys.has(key)) throw new Error(`'${key}' is not known here; there are ${[...knownKeys].join(', ')}`)
  const { host, port, weight = 1, priority = 0, zone = '', metadata = {} } = fields
  if (typeof host !== 'string' || host === '')
    throw new Error('an endpoint needs a host: write host and port, or address: host:port')
  const checkedPort = within('port', port, 1, 65_535)
  const { id = hostPort(host, checkedPort) } = fields
  if (typeof id !== 'string' || id === '') throw new Error('id is a text that is not empty')
  if (typeof zone !== 'string') throw new Error('zone is a text')
  if (typeof weight !== 'number' || !(weight > 0 && weight <= weightMax))
    throw new Error(`weight is ${String(weight)}; it is a number above 0, at most ${weightMax}`)
  const rank = within('priority', priority, 0, priorityMax)
  return { id, host, port: checkedPort, weight, priority: rank, zone, metadata: metadataOf(metadata) }
}

function within(what: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new Error(`${what} is ${value === undefined ? 'missing' : String(value)}; it is a number from ${min} to ${max}`)
}

function metadataOf(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('metadata is a mapping')
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]))
}

/** `host:port`, `[IPv6]:port`. */
function splitHostPort(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  if (match === null) throw new Error(`${JSON.stringify(text)} is no host:port`)
  return { host: (match[1] ?? match[2]) as string, port: Number(match[3]) }
}
