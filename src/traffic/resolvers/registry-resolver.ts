import type { Timer } from '../../runtime/index.ts'
import type { EndpointAddress, EndpointSource } from '../upstream/index.ts'
import { priorityMax, weightMax } from './endpoint-list.ts'
import {
  endpointsMax,
  errorText,
  type ResolvedEndpoint,
  type Resolver,
  type ResolverEvents,
  type ServiceInstance,
  type ServiceInstances,
  type TrafficRuntime,
} from './resolver.ts'

const retryFirstMs = 100
const retryLongestMs = 5_000
/** Of what is wrong with instances, so much is told. */
const problemsShownMax = 3

type RegistrySource = EndpointSource & { readonly type: 'registry' }

/**
 * The instances of a service, by watch. While the engine cannot be reached, what is known holds and the watch goes on; if
 * it ends all the same it is begun again. Unhealthy instances are told as such, so that they are seen. An instance's
 * `weight`, `zone` and `priority` are read from its metadata.
 */
export class RegistryResolver implements Resolver {
  private readonly source: RegistrySource
  private readonly outside: TrafficRuntime
  private readonly events: ResolverEvents
  private readonly over = new AbortController()
  private timer: Timer | undefined
  private failures = 0

  constructor(source: RegistrySource, outside: TrafficRuntime, events: ResolverEvents) {
    this.source = source
    this.outside = outside
    this.events = events
    void this.follow()
  }

  close(): void {
    this.timer?.cancel()
    this.over.abort()
  }

  private async follow(): Promise<void> {
    const failure = await this.watch().catch(errorText)
    if (this.over.signal.aborted) return
    this.events.failed(`${this.source.service}: ${failure}; it is watched again`)
    const limitMs = Math.min(retryLongestMs, retryFirstMs * 2 ** Math.min(this.failures++, 16))
    const nextMs = (limitMs * (1 + this.outside.random.float())) / 2
    this.timer = this.outside.scheduler.setTimer(nextMs, () => void this.follow())
  }

  private async watch(): Promise<string> {
    const { registry } = this.outside
    if (registry === undefined)
      throw new Error('this process is not connected to a registry: give the connection string of one')
    const { signal } = this.over
    for await (const instances of registry.watch(this.source.service, { includeUnhealthy: true, signal })) {
      if (signal.aborted) break
      this.failures = 0
      this.tell(instances)
    }
    return 'the watch ended'
  }

  private tell(instances: readonly ServiceInstance[]): void {
    const { service } = this.source
    if (instances.length > endpointsMax) {
      this.events.failed(`${service} has ${instances.length} instances; at most ${endpointsMax} are used`)
      return
    }
    const problems: string[] = []
    const endpoints = instances.flatMap((instance) => endpointsOf(instance, problems))
    this.events.found(endpoints)
    if (problems.length > 0) this.events.failed(`${service}: ${problems.slice(0, problemsShownMax).join('; ')}`)
  }
}

function endpointsOf(instance: ServiceInstance, problems: string[]): ResolvedEndpoint[] {
  const { id, address: host, port, metadata, healthy, reason } = instance
  if (port === undefined) {
    problems.push(`the instance '${id}' gives no port: register it with one`)
    return []
  }
  const weight = numberOf(instance, 'weight', problems, { min: Number.MIN_VALUE, max: weightMax }) ?? 1
  const priority = Math.floor(numberOf(instance, 'priority', problems, { min: 0, max: priorityMax }) ?? 0)
  const address: EndpointAddress = { id, host, port, weight, priority, zone: metadata['zone'] ?? '', metadata }
  return [{ address, unhealthy: healthy ? '' : reason || 'the registry says so' }]
}

/** What is no such number is told, and left out: a slip in one instance's metadata does not take it out of service. */
function numberOf(
  { id, metadata }: ServiceInstance,
  what: string,
  problems: string[],
  { min, max }: { readonly min: number; readonly max: number },
): number | undefined {
  const text = metadata[what]
  if (text === undefined) return undefined
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= min && value <= max) return value
  problems.push(`the instance '${id}' has the ${what} ${JSON.stringify(text)}, which is not used`)
  return undefined
}

/**
 * Instances of a registry that may not be reachable yet: `open` is called at the first watch, and again after it failed.
 *
 * @example
 * const registry = lazyServiceInstances(async () => (await connect('synod://h1:2379')).registry)
 */
export function lazyServiceInstances(open: () => Promise<ServiceInstances>): ServiceInstances {
  let opening: Promise<ServiceInstances> | undefined
  return {
    async *watch(service, options) {
      opening ??= open()
      let opened: ServiceInstances
      try {
        opened = await opening
      } catch (error) {
        opening = undefined
        throw error
      }
      yield* opened.watch(service, options)
    },
  }
}
