/**
 * Endpoints by name. Asks once an interval; a failure is told and asked again sooner, and what was found before holds.
 *
 * - D1  One question is under way at a time.
 * - D2  Each answer replaces the one before as a whole. A host of an SRV answer whose addresses cannot be had keeps those
 *       it had: half an answer never takes endpoints away.
 */
import type { NameService, ServiceRecord, Timer } from '../../runtime/index.ts'
import type { EndpointSource } from '../upstream/index.ts'
import {
  endpointsMax,
  errorText,
  hostPort,
  type ResolvedEndpoint,
  type Resolver,
  type ResolverEvents,
  type TrafficRuntime,
} from './resolver.ts'

/** Of a longer SRV answer the hosts of the lowest priorities count. */
const serviceRecordsMax = 256
const retryFirstMs = 1_000
const retryLongestMs = 30_000
const intervalMsMin = 100

type DnsSource = EndpointSource & { readonly type: 'dns' }

export class DnsResolver implements Resolver {
  private readonly source: DnsSource
  private readonly outside: TrafficRuntime
  private readonly events: ResolverEvents
  private timer: Timer | undefined
  private closed = false
  private failures = 0
  /** The last good addresses of each host of the SRV answer. */
  private hosts = new Map<string, readonly string[]>()

  constructor(source: DnsSource, outside: TrafficRuntime, events: ResolverEvents) {
    this.source = source
    this.outside = outside
    this.events = events
    void this.ask()
  }

  close(): void {
    this.closed = true
    this.timer?.cancel()
  }

  private async ask(): Promise<void> {
    const failure = await this.refresh().catch(errorText)
    if (this.closed) return
    if (failure !== undefined) this.events.failed(failure)
    this.failures = failure === undefined ? 0 : this.failures + 1
    this.timer = this.outside.scheduler.setTimer(this.nextMs(), () => void this.ask())
  }

  /** A tenth more or less, so that those who began together do not ask together for ever. */
  private nextMs(): number {
    const { refreshMs } = this.source
    const backoffMs = Math.min(retryLongestMs, retryFirstMs * 2 ** Math.min(this.failures - 1, 16))
    const nextMs = this.failures === 0 ? refreshMs : Math.min(refreshMs, backoffMs)
    return Math.max(intervalMsMin, nextMs * (0.9 + 0.2 * this.outside.random.float()))
  }

  /** Tells what was found. Resolves with what could not be found besides; rejects when that is everything. */
  private async refresh(): Promise<string | undefined> {
    const { names } = this.outside
    if (names === undefined) throw new Error('this process has no name service: dns sources cannot be used here')
    const { name, port } = this.source
    if (port === undefined) return this.refreshServices(names, await names.services(name))
    const addresses = await names.addresses(name)
    return this.tell(addresses.map((host) => endpointOf({ host, port, weight: 1, priority: 0, name })))
  }

  private async refreshServices(names: NameService, records: readonly ServiceRecord[]): Promise<string | undefined> {
    const used = [...records].sort((a, b) => a.priority - b.priority).slice(0, serviceRecordsMax)
    const hosts = new Map<string, readonly string[]>()
    const failures: string[] = []
    const lookUp = async (host: string): Promise<void> => {
      try {
        hosts.set(host, await names.addresses(host))
      } catch (error) {
        failures.push(errorText(error))
        const before = this.hosts.get(host)
        if (before !== undefined) hosts.set(host, before)
      }
    }
    await Promise.all([...new Set(used.map(({ host }) => host))].map(lookUp))
    if (hosts.size === 0) throw new Error(failures[0] ?? `${this.source.name} has no hosts`)
    this.hosts = hosts
    const told = this.tell(endpointsOf(used, hosts))
    return told ?? failures[0]
  }

  private tell(endpoints: readonly ResolvedEndpoint[]): string | undefined {
    if (this.closed) return undefined
    const { name } = this.source
    if (endpoints.length > endpointsMax) throw new Error(`${name} has ${endpoints.length} endpoints of ${endpointsMax}`)
    this.events.found(endpoints)
    return undefined
  }
}

/** RFC 2782: priorities are ranks, so that the lowest becomes 0, the next 1, whatever their numbers. */
function endpointsOf(
  records: readonly ServiceRecord[],
  hosts: ReadonlyMap<string, readonly string[]>,
): ResolvedEndpoint[] {
  const ranks = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b)
  return records.flatMap(({ host: name, port, priority, weight }) =>
    (hosts.get(name) ?? []).map((host) =>
      endpointOf({ host, port, weight: Math.max(1, weight), priority: ranks.indexOf(priority), name }),
    ),
  )
}

function endpointOf(found: {
  readonly host: string
  readonly port: number
  readonly weight: number
  readonly priority: number
  readonly name: string
}): ResolvedEndpoint {
  const { host, port, weight, priority, name } = found
  return {
    address: { id: hostPort(host, port), host, port, weight, priority, zone: '', metadata: { name } },
    unhealthy: '',
  }
}
