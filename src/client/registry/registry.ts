import { type PlaneContext, prefixEnd, roomKey } from '../context.ts'
import type { Entry, KeyRange } from '../driver/index.ts'
import { type CallLimits, callOptions, cancelledError } from '../limits.ts'
import { persist } from '../turns/index.ts'
import { Bell, flatMapped, latestStates } from '../watching/index.ts'
import { type Instance, instanceOf } from './instance.ts'
import { checkRegisterOptions, KeptRegistration, type RegisterOptions, type Registration } from './registration.ts'

/** Which instances of a service are told. */
export interface InstancesOptions {
  /** Also those that are registered and unhealthy. Default false. */
  readonly includeUnhealthy?: boolean | undefined
}

/**
 * Who offers which service. An instance is listed from its registration until it is closed or its session ends, which is
 * at the latest the session's TTL after its process died or was cut off. Whoever reads the list may be behind: an instance
 * in it may be gone.
 */
export interface Registry {
  /**
   * Registers an instance and keeps it registered, over lost sessions, until it is closed. Resolves when it is listed
   * (unhealthy at first, where it is probed). The limits are those of this wait; when they end it, nothing stays
   * registered.
   *
   * @example
   * await using registration = await synod.registry.register({
   *   service: 'payments', address: '10.0.0.7', port: 8080, health: { type: 'http', url: 'http://10.0.0.7:8080/health' },
   * })
   */
  register(options: RegisterOptions, limits?: CallLimits): Promise<Registration>
  /** The instances now, by a linearizable read, in the order of their ids. */
  instances(service: string, options?: InstancesOptions & CallLimits): Promise<Instance[]>
  /**
   * The instances now, and again after each change. Converges to the newest; states in between may be left out. Leave it
   * with `break`, or by `signal`, which throws `CANCELLED`.
   */
  watch(service: string, options?: InstancesOptions & Pick<CallLimits, 'signal'>): AsyncIterableIterator<Instance[]>
}

/** Makes the registry. Nothing is asked of the engine until it is used. */
export function createRegistry(context: PlaneContext): Registry {
  return {
    register: (options, limits = {}) =>
      context.tracing.span('registry.register', { 'synod.name': options.service }, () =>
        register(context, options, limits),
      ),
    instances: async (service, options = {}) => {
      const { driver } = context
      const range = instancesRange(context, service)
      const { entries } = await persist(driver.outside, callOptions(context, options), (call) =>
        driver.list(range, call),
      )
      return listed(service, entries, options)
    },
    watch: (service, options = {}) => watch(context, service, options),
  }
}

async function register(context: PlaneContext, options: RegisterOptions, limits: CallLimits): Promise<Registration> {
  checkRegisterOptions(context, options)
  const { outside } = context.driver
  const { signal, deadlineMs } = callOptions(context, limits)
  if (signal?.aborted === true) throw cancelledError(signal)
  const registration = new KeptRegistration(context, options)
  const bell = new Bell()
  const first = registration.written().finally(() => bell.ring())
  // Whichever way it ends is told below, or the limits have ended the wait.
  first.catch(() => {})
  try {
    await bell.heard(outside, { signal, deadlineMs })
    await first
    return registration
  } catch (error) {
    void registration.close()
    throw error
  }
}

function watch(
  context: PlaneContext,
  service: string,
  options: InstancesOptions & Pick<CallLimits, 'signal'>,
): AsyncIterableIterator<Instance[]> {
  let told: string | undefined
  const { signal } = options
  return flatMapped(latestStates(context.driver, instancesRange(context, service), { signal }), ({ entries }) => {
    const instances = listed(service, [...entries.values()], options)
    const state = instances.map(({ id, revision }) => `${id} ${revision}`).join('\n')
    if (state === told) return []
    told = state
    return [instances]
  })
}

function listed(service: string, entries: readonly Entry[], { includeUnhealthy }: InstancesOptions): Instance[] {
  return entries
    .map((entry) => instanceOf(service, entry))
    .filter((instance) => instance !== undefined)
    .filter(({ healthy }) => healthy || includeUnhealthy === true)
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

function instancesRange(context: PlaneContext, service: string): KeyRange {
  const start = roomKey(context, 'registry', service, 'instances', '')
  return { start, end: prefixEnd(start) }
}
