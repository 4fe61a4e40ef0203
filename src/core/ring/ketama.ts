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
import { TokenRing } from './token-ring.ts'
import { runSteps, sortingTokens, type Tokens, tokensOf } from './tokens.ts'

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
/** So many names are hashed in one step: about a millisecond. */
const namesPerStep = 2_048

/**
 * libmemcached's weighted ketama. Cost: an MD5 and log2(160 n) steps a key; 40 MD5s a server, or a server that is new to `previous`.
 *
 * Promises the same servers as libmemcached for servers in the same order (which matters where two points are equal only).
 * With equal weights a server that leaves moves its own keys; with unequal ones also a few others, as the points of all are
 * counted again. A server whose share is below 1/(40 n) gets no point, as there.
 */
export class KetamaRing {
  /** Set once, right after it was made. */
  #parts: Parts

  /**
   * `previous`: one whose points are taken over where they are the same, so that an update costs MD5s for those servers only
   * that are new, and for single points of the others. Throws a RangeError when a weight is not above 0.
   */
  constructor(servers: readonly KetamaServer[], previous?: KetamaRing | undefined) {
    this.#parts = runSteps(placing(servers, previous === undefined ? undefined : previous.#parts))
  }

  /** As the constructor, in steps: of thousands of servers a ring takes its time. */
  static building(servers: readonly KetamaServer[], previous?: KetamaRing | undefined): KetamaBuild {
    const steps = placing(servers, previous === undefined ? undefined : previous.#parts)
    let ring: KetamaRing | undefined
    const step = (): boolean => {
      if (ring !== undefined) return true
      const { done, value } = steps.next()
      if (done !== true) return false
      ring = new KetamaRing([])
      ring.#parts = value
      return true
    }
    const finish = (): KetamaRing => {
      while (!step());
      return ring!
    }
    return { step, finish }
  }

  get servers(): readonly KetamaServer[] {
    return this.#parts.servers
  }

  /** How many names had to be hashed to make it. */
  get namesHashed(): number {
    return this.#parts.namesHashed
  }

  /** The hash that libmemcached gives a key. */
  static hash(key: string): number {
    return md5Words(key)[0]!
  }

  /** How many points there are. */
  get size(): number {
    return this.#parts.ring.tokens.length
  }

  /** The index of the key's server; -1 when there are none. */
  get(key: string): number {
    return this.find(KetamaRing.hash(key))
  }

  /** The index of the server of a hash, going on past the excluded; `noNode` (-1) when there is none. */
  find(hash: number, isExcluded?: IsExcluded): number {
    return this.#parts.ring.find(hash, isExcluded)
  }
}

/** A {@link KetamaRing} that is made in steps, so that nothing else has to wait for all of it. */
export interface KetamaBuild {
  /** Does about a millisecond's work. True: the ring is done. Throws as the constructor of the ring does. */
  step(): boolean
  /** The ring, after all steps that are left. */
  finish(): KetamaRing
}

/** What a ring is made of. */
interface Parts {
  readonly servers: readonly KetamaServer[]
  /** How many each server has. */
  readonly names: readonly number[]
  readonly namesHashed: number
  readonly ring: TokenRing
}

function* placing(servers: readonly KetamaServer[], previous: Parts | undefined): Generator<void, Parts> {
  for (const { host, port, weight = 1 } of servers) {
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY))
      throw new RangeError(`server ${host}:${port} has weight ${weight}: give a finite number above 0`)
  }
  const names = nameCounts(servers)
  const indexBefore = previous === undefined ? undefined : placesBefore(previous.servers, servers)
  yield
  if (previous === undefined || indexBefore === undefined) {
    const { values, owners } = yield* points(servers, (index) => [0, names[index]!])
    return { servers, names, namesHashed: values.length / 4, ring: new TokenRing(values, owners, servers.length) }
  }
  const namesBefore = (index: number): number => (indexBefore[index]! < 0 ? 0 : previous.names[indexBefore[index]!]!)
  const indexNow = new Int32Array(previous.servers.length).fill(-1)
  indexBefore.forEach((old, index) => {
    if (old >= 0) indexNow[old] = index
  })
  const fresh = yield* points(servers, (index) => [namesBefore(index), names[index]!])
  // With another number of servers all may have a name more or less: the quarter is rounded down.
  const gone = yield* points(previous.servers, (old) =>
    indexNow[old]! < 0 ? [0, 0] : [names[indexNow[old]!]!, previous.names[old]!],
  )
  const size = 4 * names.reduce((sum, count) => sum + count, 0)
  const ring = yield* previous.ring.changing(indexNow, fresh, gone, servers.length, size)
  return { servers, names, namesHashed: (fresh.values.length + gone.values.length) / 4, ring }
}

/** Where each server was before, -1 for new ones. Undefined: they changed places or are named twice, so nothing can be taken over. */
function placesBefore(before: readonly KetamaServer[], now: readonly KetamaServer[]): Int32Array | undefined {
  const known = new Map(before.map((server, index) => [prefixOf(server), index]))
  if (known.size !== before.length) return undefined
  const places = new Int32Array(now.length)
  let last = -1
  for (const [index, server] of now.entries()) {
    const old = known.get(prefixOf(server)) ?? -1
    places[index] = old
    if (old < 0) continue
    // Of equal points the first server's counts: so the order must be the same.
    if (old <= last) return undefined
    last = old
  }
  return places
}

function prefixOf({ host, port }: KetamaServer): string {
  return port === memcachedPort ? `${host}-` : `${host}:${port}-`
}

function nameCounts(servers: readonly KetamaServer[]): number[] {
  const weightSum = servers.reduce((sum, { weight = 1 }) => sum + weight, 0)
  return servers.map(({ weight = 1 }) => nameCount(weight, weightSum, servers.length))
}

/** The first name of a server, by its index, and the one after the last. */
type NamesOf = (index: number) => readonly [from: number, to: number]

/** The points of some names of servers, sorted; equal ones in the order of the servers. */
function* points(servers: readonly KetamaServer[], namesOf: NamesOf): Generator<void, Tokens> {
  const ranges = servers.map((_, index) => namesOf(index))
  const placed = tokensOf(4 * ranges.reduce((sum, [from, to]) => sum + Math.max(0, to - from), 0))
  let at = 0
  let namesSinceStep = 0
  for (const [index, [from, to]] of ranges.entries()) {
    if (from >= to) continue
    placeNames(placed, at, index, prefixOf(servers[index]!), from, to)
    at += 4 * (to - from)
    namesSinceStep += to - from
    if (namesSinceStep < namesPerStep) continue
    namesSinceStep = 0
    yield
  }
  return yield* sortingTokens(placed)
}

function placeNames(
  { values, owners }: Tokens,
  start: number,
  owner: number,
  prefix: string,
  from: number,
  to: number,
): void {
  let at = start
  for (let name = from; name < to; name++) {
    const words = md5Words(prefix + name)
    for (let word = 0; word < 4; word++, at++) {
      values[at] = words[word]!
      owners[at] = owner
    }
  }
}

/** In single precision step by step, as the C code is compiled for 64-bit processors. */
function nameCount(weight: number, weightSum: number, servers: number): number {
  const share = Math.fround(Math.fround(weight) / Math.fround(weightSum))
  const quarter = Math.fround(Math.fround(share * pointsPerServer) / 4)
  return Math.floor(Math.fround(Math.fround(quarter * servers) + Math.fround(1e-10)))
}
