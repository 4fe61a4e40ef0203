/**
 * nginx's `ip_hash`, number for number, so that clients keep their servers when nginx is replaced.
 *
 * Source: nginx, `src/http/modules/ngx_http_upstream_ip_hash_module.c`.
 *
 *     bytes of a key  the first three of an IPv4 address, so that a /24 network goes to one server; all 16 of an IPv6 address
 *     hash            from 89, for each byte: (hash * 113 + byte) mod 6271; again over the bytes when the server cannot be used
 *     server          the one in which `hash mod sum of weights` falls, in the order given
 *
 * I1: `bytes[0 .. length - 1]` are those of the pick under way.
 */
import type { BalancedEndpoint, Balancer, PickRequest, RandomUnit } from './balancer.ts'
import { readHashedBytes } from './ip-bytes.ts'
import { randomHash } from './placed.ts'

const firstHash = 89
const modulus = 6271
/** nginx's, before it falls back to round robin. */
const rehashesMax = 20

const bytes = new Uint8Array(16)
let length = 0

/**
 * By the client's network. Promises the same endpoint for a /24 as long as the set, its order and its weights stay; when they
 * change, most keys move (use `rendezvous` or `ring-hash` where that matters). An IPv4 address inside an IPv6 one
 * (`::ffff:192.0.2.1`) counts as IPv4; a key that is no address is hashed as it is. At most 6271 places: shares are that coarse.
 * Cost: n steps a pick; nothing to update.
 */
export class IpHash<E extends BalancedEndpoint> implements Balancer<E> {
  readonly #randomUnit: RandomUnit
  #endpoints: readonly E[] = []
  #weightSum = 0

  constructor(randomUnit: RandomUnit) {
    this.#randomUnit = randomUnit
  }

  update(endpoints: readonly E[]): void {
    this.#endpoints = endpoints
    this.#weightSum = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  }

  pick({ key, isExcluded }: PickRequest<E>): E | undefined {
    const endpoints = this.#endpoints
    const count = endpoints.length
    if (count === 0) return undefined
    this.#readBytes(key)
    let hash = firstHash
    let at = 0
    for (let i = 0; i <= rehashesMax; i++) {
      hash = hashAgain(hash)
      at = this.#locate(hash % this.#weightSum)
      if (!isExcluded?.(endpoints[at]!)) return endpoints[at]
    }
    for (let step = 1; step < count; step++) {
      const endpoint = endpoints[(at + step) % count]!
      if (!isExcluded?.(endpoint)) return endpoint
    }
    return undefined
  }

  #readBytes(key: string | undefined): void {
    if (key !== undefined) {
      length = readHashedBytes(key, bytes)
      return
    }
    const random = randomHash(this.#randomUnit)
    for (length = 0; length < 4; length++) bytes[length] = random >>> (length * 8)
  }

  #locate(place: number): number {
    const endpoints = this.#endpoints
    let rest = place
    for (let i = 0; i < endpoints.length; i++) {
      rest -= endpoints[i]!.weight
      if (rest < 0) return i
    }
    // Fractions of weights may sum to a little less in another order.
    return endpoints.length - 1
  }
}

function hashAgain(before: number): number {
  let hash = before
  for (let i = 0; i < length; i++) hash = (hash * 113 + bytes[i]!) % modulus
  return hash
}
