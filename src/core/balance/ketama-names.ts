import { type KetamaBuild, KetamaRing, type KetamaServer } from '../ring/index.ts'
import type { BalancedEndpoint } from './balancer.ts'
import type { Placement } from './placed.ts'

/**
 * libmemcached's ring over endpoints whose ids are `host:port`, as they are by default; an id of another form is hashed as it stands.
 * Promises and cost: see `KetamaRing`.
 */
export function placeByKetama(endpoints: readonly BalancedEndpoint[], previous?: Placement | undefined): KetamaRing {
  return new KetamaRing(endpoints.map(serverOf), previous instanceof KetamaRing ? previous : undefined)
}

/** Fewer are placed in some milliseconds. */
const steppedMin = 256

/** The same in steps; undefined when there are too few to be worth it. */
export function placeByKetamaInSteps(
  endpoints: readonly BalancedEndpoint[],
  previous: Placement,
): KetamaBuild | undefined {
  if (endpoints.length < steppedMin) return undefined
  return KetamaRing.building(endpoints.map(serverOf), previous instanceof KetamaRing ? previous : undefined)
}

function serverOf({ id, weight }: BalancedEndpoint): KetamaServer {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(id) ?? []
  // The port that is left out of the hash leaves the id alone.
  return host === undefined ? { host: id, port: 11_211, weight } : { host, port: Number(port), weight }
}
