import { KetamaRing, type KetamaServer } from '../ring/index.ts'
import type { BalancedEndpoint } from './balancer.ts'
import type { Placement } from './placed.ts'

/**
 * libmemcached's ring over endpoints whose ids are `host:port`, as they are by default; an id of another form is hashed as it stands.
 * Promises and cost: see `KetamaRing`.
 */
export function placeByKetama(endpoints: readonly BalancedEndpoint[], previous?: Placement | undefined): KetamaRing {
  return new KetamaRing(endpoints.map(serverOf), previous instanceof KetamaRing ? previous : undefined)
}

function serverOf({ id, weight }: BalancedEndpoint): KetamaServer {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(id) ?? []
  // The port that is left out of the hash leaves the id alone.
  return host === undefined ? { host: id, port: 11_211, weight } : { host, port: Number(port), weight }
}
