/**
 * The same load on every balancing policy: an event-driven simulation in virtual time, the same on every machine.
 *
 * Endpoints serve 32 requests at a time and queue the rest; service times are exponential, arrivals a Poisson process. One endpoint
 * is ten times as slow as the others, yet bears a tenth of the load: no policy makes a queue that grows without end, so the figures
 * do not depend on how long is simulated.
 */
import { Prng } from '../src/base/index.ts'
import {
  type BalancedEndpoint,
  type BalancePolicy,
  type Balancer,
  createBalancer,
  PeakEwma,
} from '../src/core/balance/index.ts'

export interface Contestant {
  readonly title: string
  readonly policy: BalancePolicy
  readonly boundedLoadFactor: number
}

export interface Figures {
  readonly title: string
  /** The most that an endpoint got, in multiples of the mean: all alike, every client as busy as the others. */
  readonly spread: number
  /** The same when a few clients ask most (Zipf's law). */
  readonly hotSpread: number
  /** Of requests, with one slow endpoint. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Of all requests, what the slow endpoint got, in percent. A tenth is even. */
  readonly slowPercent: number
  /** Clients who go elsewhere when one of ten leaves, in percent; undefined where requests of a client do not stick anyway. */
  readonly movedPercent: number | undefined
  /** Of policies that avoid a slow endpoint; undefined for the others. */
  readonly recovery: Recovery | undefined
}

/** How an endpoint fares that was 200 times as slow for 20 to 30 s, and then is as fast as the others: means of ten runs. */
export interface Recovery {
  /** Of the requests while it was slow, what it got, in percent. */
  readonly slowPercent: number
  /** From its recovery to the first second in which it got half of an even share or more. */
  readonly backAfterSeconds: number
}

const endpointCount = 10
const slots = 32
const fastMs = 10
const slowMs = 100
const slowIndex = 3
const requestsPerMs = 2
const requests = 40_000
/** The first are not measured: averages have to form. */
const warmUp = 4_000
const clientCount = 10_000
/** How often endpoints that nobody asks are forgiven, as upstreams do it. */
const restEveryMs = 250
const recoveryRequestsPerMs = 0.5
const recoverySlowMs = 2_000
/** The first of so many runs recovers after 20 s, each of the others a second later. */
const recoveryFirstMs = 20_000
const recoveryRuns = 10
const recoveryPatienceMs = 90_000

const avoiding: ReadonlySet<BalancePolicy> = new Set(['least-connections', 'least-time', 'p2c'])

const hashing: ReadonlySet<BalancePolicy> = new Set([
  'ip-hash',
  'rendezvous',
  'ring-hash',
  'maglev',
  'jump-hash',
  'ketama',
])

class SimulatedEndpoint implements BalancedEndpoint {
  readonly id: string
  readonly weight = 1
  serviceMs: number
  active = 0
  latencyMs = 0
  served = 0
  readonly average = new PeakEwma()
  /** When each slot is free. */
  readonly freeAtMs = new Float64Array(slots)

  constructor(index: number, serviceMs: number) {
    this.id = `10.0.0.${index}:8080`
    this.serviceMs = serviceMs
  }

  /** Takes the slot that is free first, and gives the time at which the request is done. */
  serve(nowMs: number, serviceMs: number): number {
    let first = 0
    for (let i = 1; i < slots; i++) if (this.freeAtMs[i]! < this.freeAtMs[first]!) first = i
    const doneMs = Math.max(nowMs, this.freeAtMs[first]!) + serviceMs
    this.freeAtMs[first] = doneMs
    this.active++
    this.served++
    return doneMs
  }
}

interface Completion {
  readonly atMs: number
  readonly latencyMs: number
  readonly endpoint: SimulatedEndpoint
}

/** Clients by their addresses, in networks of their own. */
const clients = Array.from({ length: clientCount }, (_, i) => {
  const random = new Prng(`client ${i}`)
  return `${1 + random.below(223)}.${random.below(256)}.${random.below(256)}.${random.below(256)}`
})

/** Draws clients by Zipf's law with exponent 1: the n-th busiest asks 1/n as often as the busiest. */
function zipf(random: Prng): () => string {
  const sums: number[] = []
  clients.forEach((_, i) => {
    sums.push((sums.at(-1) ?? 0) + 1 / (i + 1))
  })
  return () => {
    const place = random.float() * sums.at(-1)!
    let [low, high] = [0, sums.length - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle]! <= place) low = middle + 1
      else high = middle
    }
    return clients[low]!
  }
}

function balancerOf(contestant: Contestant, endpoints: readonly SimulatedEndpoint[]): Balancer<SimulatedEndpoint> {
  const random = new Prng('choices')
  const balancer = createBalancer<SimulatedEndpoint>(contestant.policy, {
    randomUnit: () => random.float(),
    boundedLoadFactor: contestant.boundedLoadFactor,
  })
  balancer.update(endpoints)
  return balancer
}

interface Load {
  readonly endpoints: readonly SimulatedEndpoint[]
  readonly requestsPerMs: number
  readonly nextClient: () => string
  /** Called before each request; false ends the run. */
  readonly goesOn: (nowMs: number, request: number) => boolean
  readonly onServed: (request: number, latencyMs: number) => void
}

function serve(contestant: Contestant, { endpoints, requestsPerMs, nextClient, goesOn, onServed }: Load): void {
  const balancer = balancerOf(contestant, endpoints)
  const arrivals = new Prng('arrivals')
  const services = new Prng('services')
  const exponential = (random: Prng, mean: number): number => -mean * Math.log(1 - random.float())
  /** Soonest last. */
  const underWay: Completion[] = []
  let now = 0
  let restedAtMs = 0
  let requestsSinceRest = 0
  for (let request = 0; ; request++) {
    now += exponential(arrivals, 1 / requestsPerMs)
    if (!goesOn(now, request)) return
    while (underWay.length > 0 && underWay.at(-1)!.atMs <= now) complete(underWay.pop()!)
    for (; restedAtMs + restEveryMs <= now; requestsSinceRest = 0) {
      restedAtMs += restEveryMs
      for (const each of endpoints) each.average.rest(restedAtMs, each.active === 0 ? requestsSinceRest : 0)
    }
    requestsSinceRest++
    for (const endpoint of endpoints) endpoint.latencyMs = endpoint.average.valueMs(now)
    const endpoint = balancer.pick({ key: nextClient() })!
    const atMs = endpoint.serve(now, exponential(services, endpoint.serviceMs))
    onServed(request, atMs - now)
    insert(underWay, { atMs, latencyMs: atMs - now, endpoint })
  }
}

function run(contestant: Contestant, hasSlow: boolean, nextClient: () => string) {
  const endpoints = Array.from(
    { length: endpointCount },
    (_, i) => new SimulatedEndpoint(i, hasSlow && i === slowIndex ? slowMs : fastMs),
  )
  const latencies: number[] = []
  serve(contestant, {
    endpoints,
    requestsPerMs,
    nextClient,
    goesOn: (_now, request) => request < requests,
    onServed: (request, latencyMs) => {
      if (request >= warmUp) latencies.push(latencyMs)
    },
  })
  return { endpoints, latencies: latencies.sort((a, b) => a - b) }
}

/** At a quarter of the load, so that the others are not busy and the slow one is asked because it seems worth it. */
export function recover(contestant: Contestant): Recovery {
  const all = Array.from({ length: recoveryRuns }, (_, i) => recoverAt(contestant, recoveryFirstMs + i * 1_000))
  const mean = (read: (each: Recovery) => number): number => all.reduce((sum, each) => sum + read(each), 0) / all.length
  return {
    slowPercent: mean(({ slowPercent }) => slowPercent),
    backAfterSeconds: mean(({ backAfterSeconds }) => backAfterSeconds),
  }
}

function recoverAt(contestant: Contestant, recoveryAtMs: number): Recovery {
  const endpoints = Array.from({ length: endpointCount }, (_, i) => new SimulatedEndpoint(i, fastMs))
  const slow = endpoints[slowIndex]!
  slow.serviceMs = recoverySlowMs
  let servedSlow = 0
  let requestsSlow = 0
  let second = recoveryAtMs / 1_000
  let [servedAtSecond, requestAtSecond] = [0, 0]
  let backAfterSeconds = recoveryPatienceMs / 1_000
  let isBack = false
  serve(contestant, {
    endpoints,
    requestsPerMs: recoveryRequestsPerMs,
    nextClient: () => clients[0]!,
    goesOn: (now, request) => {
      if (now < recoveryAtMs) return true
      if (slow.serviceMs !== fastMs) {
        slow.serviceMs = fastMs
        ;[servedSlow, requestsSlow] = [slow.served, request]
        ;[servedAtSecond, requestAtSecond] = [slow.served, request]
      }
      if (now >= (second + 1) * 1_000) {
        const share = ((slow.served - servedAtSecond) * endpointCount) / (request - requestAtSecond)
        isBack = share >= 0.5
        if (isBack) backAfterSeconds = second - recoveryAtMs / 1_000
        second++
        ;[servedAtSecond, requestAtSecond] = [slow.served, request]
      }
      return !isBack && now < recoveryAtMs + recoveryPatienceMs
    },
    onServed: () => {},
  })
  return { slowPercent: (servedSlow * 100) / requestsSlow, backAfterSeconds }
}

function complete({ atMs, latencyMs, endpoint }: Completion): void {
  endpoint.active--
  endpoint.average.observe(atMs, latencyMs)
}

function insert(underWay: Completion[], completion: Completion): void {
  let at = underWay.length
  while (at > 0 && underWay[at - 1]!.atMs < completion.atMs) at--
  underWay.splice(at, 0, completion)
}

function movedPercent(contestant: Contestant): number {
  const endpoints = Array.from({ length: endpointCount }, (_, i) => new SimulatedEndpoint(i, fastMs))
  const before = balancerOf({ ...contestant, boundedLoadFactor: 0 }, endpoints)
  const after = balancerOf(
    { ...contestant, boundedLoadFactor: 0 },
    endpoints.filter((_, i) => i !== 3),
  )
  const moved = clients.filter((key) => before.pick({ key }) !== after.pick({ key }))
  return (moved.length * 100) / clients.length
}

function busiest(endpoints: readonly SimulatedEndpoint[]): number {
  return (Math.max(...endpoints.map(({ served }) => served)) * endpointCount) / requests
}

/** One contestant's figures. The same for the same code. */
export function measure(contestant: Contestant): Figures {
  const uniform = (): (() => string) => {
    const random = new Prng('who asks')
    return () => clients[random.below(clientCount)]!
  }
  const even = run(contestant, false, uniform())
  const hot = run(contestant, false, zipf(new Prng('who asks')))
  const slow = run(contestant, true, uniform())
  const quantile = (share: number): number => slow.latencies[Math.floor(slow.latencies.length * share)]!
  return {
    title: contestant.title,
    spread: busiest(even.endpoints),
    hotSpread: busiest(hot.endpoints),
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    slowPercent: (slow.endpoints[slowIndex]!.served * 100) / requests,
    movedPercent: hashing.has(contestant.policy) ? movedPercent(contestant) : undefined,
    recovery: avoiding.has(contestant.policy) ? recover(contestant) : undefined,
  }
}
