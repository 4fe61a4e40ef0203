/** Endpoints for tests of balancers. */
import { Prng } from '../../base/index.ts'
import type { BalancedEndpoint, Balancer, RandomUnit } from './balancer.ts'

export interface TestEndpoint extends BalancedEndpoint {
  weight: number
  active: number
  latencyMs: number
}

export function testEndpoint(id: string, fields: Partial<Omit<TestEndpoint, 'id'>> = {}): TestEndpoint {
  return { id, weight: 1, active: 0, latencyMs: 0, ...fields }
}

/** `10.0.0.0:80`, `10.0.0.1:80`, …, of these weights. */
export function testEndpoints(weights: readonly number[]): TestEndpoint[] {
  return weights.map((weight, i) => testEndpoint(`10.0.0.${i}:80`, { weight }))
}

export function seededUnit(seed: string): RandomUnit {
  const random = new Prng(seed)
  return () => random.float()
}

/** How often each endpoint is picked, in the order given. */
export function countPicks(
  balancer: Balancer<TestEndpoint>,
  endpoints: readonly TestEndpoint[],
  picks: number,
  keyOf?: (i: number) => string,
): number[] {
  const counts = endpoints.map(() => 0)
  for (let i = 0; i < picks; i++) counts[endpoints.indexOf(balancer.pick({ key: keyOf?.(i) })!)]!++
  return counts
}
