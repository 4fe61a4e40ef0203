import { ConsistentHashRing, KetamaRing, MaglevTable, Rendezvous } from '../ring/index.ts'
import type { BalancedEndpoint, Balancer, RandomUnit } from './balancer.ts'
import { IpHash } from './ip-hash.ts'
import { JumpOrder } from './jump-order.ts'
import { placeByKetama, placeByKetamaInSteps } from './ketama-names.ts'
import { LeastConnections, LeastTime } from './least-score.ts'
import { PowerOfTwoChoices } from './p2c.ts'
import { Placed } from './placed.ts'
import { RandomChoice } from './random.ts'
import { BoundedLoadRing } from './ring-hash.ts'
import { RoundRobin } from './round-robin.ts'
import { WeightedRoundRobin } from './weighted-round-robin.ts'

/** The names of the algorithms. */
export const balancePolicies = [
  'round-robin',
  'weighted-round-robin',
  'random',
  'weighted-random',
  'least-connections',
  'least-time',
  'p2c',
  'ip-hash',
  'rendezvous',
  'ring-hash',
  'maglev',
  'jump-hash',
  'ketama',
] as const

/** The name of an algorithm. */
export type BalancePolicy = (typeof balancePolicies)[number]

/** What an algorithm needs from outside, and its settings. */
export interface BalancerOptions {
  readonly randomUnit: RandomUnit
  /** Of the round robins: where to begin, a whole number of at least 0. Give each worker or caller another. Default 0. */
  readonly offset?: number
  /**
   * `ring-hash`: no endpoint gets more than this many times its share of the requests under way: 1 or more, 1.25 is usual; 0 for
   * no bound. Default 0.
   */
  readonly boundedLoadFactor?: number
}

/** Up to so many endpoints Maglev's default table has a hundred slots each; more get the larger one. */
const maglevSmallMax = 655
const maglevLargeTable = 655_373

/**
 * The balancer of a policy, with no endpoints yet: call `update`. What each promises and costs is said at its class; the hashing ones
 * without a key choose at random. Throws a RangeError when the bounded load factor is neither 0 nor at least 1.
 */
export function createBalancer<E extends BalancedEndpoint>(
  policy: BalancePolicy,
  options: BalancerOptions,
): Balancer<E> {
  const { randomUnit, offset = 0, boundedLoadFactor = 0 } = options
  switch (policy) {
    case 'round-robin':
      return new RoundRobin(offset)
    case 'weighted-round-robin':
      return new WeightedRoundRobin(offset)
    case 'random':
      return new RandomChoice(randomUnit, false)
    case 'weighted-random':
      return new RandomChoice(randomUnit, true)
    case 'least-connections':
      return new LeastConnections()
    case 'least-time':
      return new LeastTime()
    case 'p2c':
      return new PowerOfTwoChoices(randomUnit)
    case 'ip-hash':
      return new IpHash(randomUnit)
    case 'rendezvous':
      return new Placed<E>({ randomUnit, place: (endpoints) => new Rendezvous(endpoints) })
    case 'ring-hash':
      return new Placed<E>({ randomUnit, place: ringOf(boundedLoadFactor) })
    case 'maglev':
      return new Placed<E>({ randomUnit, place: maglevOf })
    case 'jump-hash':
      return new Placed<E>({ randomUnit, place: (endpoints) => new JumpOrder(endpoints) })
    case 'ketama':
      return new Placed<E>({
        randomUnit,
        place: placeByKetama,
        placeInSteps: placeByKetamaInSteps,
        hash: KetamaRing.hash,
      })
    default: {
      const unknown: never = policy
      throw new RangeError(`there is no policy ${String(unknown)}: choose one of ${balancePolicies.join(', ')}`)
    }
  }
}

function ringOf(
  boundedLoadFactor: number,
): (endpoints: readonly BalancedEndpoint[]) => ConsistentHashRing | BoundedLoadRing {
  return boundedLoadFactor === 0
    ? (endpoints) => new ConsistentHashRing(endpoints)
    : (endpoints) => new BoundedLoadRing(endpoints, boundedLoadFactor)
}

function maglevOf(endpoints: readonly BalancedEndpoint[]): MaglevTable {
  return new MaglevTable(endpoints, endpoints.length > maglevSmallMax ? { tableSize: maglevLargeTable } : {})
}
