/**
 * The ring of libmemcached, point for point, so that programs that use either find the same server.
 *
 * Source: libmemcached 1.1.4 with `MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED`: `update_continuum` in `src/libmemcached/hosts.cc` and
 * `dispatch_host` in `src/libmemcached/hash.cc`. The idea: Jones, "libketama: a consistent hashing algo for memcache clients", 2007.
 *
 *     points of a server  floor((float) (weight / sum * 40 * servers + 1e-10)) * 4, in single precision
 *     name of its point i host-i/4 if its port is 11211, otherwise host:port-i/4
 *     point i             word i mod 4 of the name's MD5, each word low byte first
 *     hash of a key       the first word of its MD5
 */
import { md5Words } from './md5.ts'
import type { IsExcluded } from './node.ts'
import { ranksMax, TokenRing } from './token-ring.ts'

/** A server as libmemcached names it. */
export interface KetamaServer {
  /** As libmemcached was told it: the name goes into the hash, not what it resolves to. */
  readonly host: string
  /** 11211 is memcached's own and left out of the hash. */
  readonly port: number
  /** libmemcached knows whole numbers; fractions are used as they are. Above 0. Default 1. */
  readonly weight?: number | undefined
}

const pointsPerServer = 160
const memcachedPort = 11_211

/**
 * libmemcached's weighted ketama. Cost: an MD5 and log2(160 n) steps a key; an update makes 40 MD5s a server.
 *
 * Promises the same servers as libmemcached for servers in the same order (which matters where two points are equal only).
 * With equal weights a server that leaves moves its own keys; with unequal ones also a few others, as the points of all are
 * counted again. A server whose share is below 1/(40 n) gets no point, as there.
 */
export class KetamaRing {
  readonly servers: readonly KetamaServer[]
  readonly #ring: TokenRing

  /** Throws a RangeError when a weight is not above 0. */
  constructor(servers: readonly KetamaServer[]) {
    for (const { host, port, weight = 1 } of servers) {
      if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
        throw new RangeError(`server ${host}:${port} has weight ${weight}: give a finite number above 0`)
    }
    this.servers = servers
    const order = servers.map((_, i) => i)
    this.#ring = new TokenRing(placePoints(servers), order)
  }

  /** The hash that libmemcached gives a key. */
  static hash(key: string): number {
    return md5Words(key)[0]!
  }

  /** How many points there are. */
  get size(): number {
    return this.#ring.tokens.length
  }

  /** The index of the key's server; -1 when there are none. */
  get(key: string): number {
    return this.find(KetamaRing.hash(key))
  }

  /** The index of the server of a hash, going on past the excluded; `noNode` (-1) when there is none. */
  find(hash: number, isExcluded?: IsExcluded): number {
    return this.#ring.find(hash, isExcluded)
  }
}

function placePoints(servers: readonly KetamaServer[]): Float64Array {
  const weightSum = servers.reduce((sum, { weight = 1 }) => sum + weight, 0)
  const namesOf = ({ weight = 1 }: KetamaServer): number => nameCount(weight, weightSum, servers.length)
  const placed = new Float64Array(servers.reduce((sum, server) => sum + namesOf(server) * 4, 0))
  let at = 0
  servers.forEach((server, index) => {
    const { host, port } = server
    const prefix = port === memcachedPort ? `${host}-` : `${host}:${port}-`
    for (let name = 0; name < namesOf(server); name++) {
      for (const word of md5Words(`${prefix}${name}`)) placed[at++] = word * ranksMax + index
    }
  })
  return placed
}

/** In single precision step by step, as the C code is compiled for 64-bit processors. */
function nameCount(weight: number, weightSum: number, servers: number): number {
  const share = Math.fround(Math.fround(weight) / Math.fround(weightSum))
  const quarter = Math.fround(Math.fround(share * pointsPerServer) / 4)
  return Math.floor(Math.fround(Math.fround(quarter * servers) + Math.fround(1e-10)))
}
