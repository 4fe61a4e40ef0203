/** The frame of a test on the ground: one route, one piece of work, and nothing left afterwards. */
import assert from 'node:assert/strict'
import type { RouteConfig } from '../../config/index.ts'
import { type RouteParts, routeWith } from '../../routing/testing/routes.ts'
import { type ExchangeGround, type GroundOptions, openGround, type Sent } from './exchange-ground.ts'

/** Runs `work` on a ground with one route, or with these, and checks that nothing is left. */
export async function onGround(
  route: RouteParts | readonly RouteConfig[],
  work: (ground: ExchangeGround) => void,
  options: Partial<GroundOptions> = {},
): Promise<void> {
  const ground = await openGround({
    routes: Array.isArray(route) ? route : [routeWith(route as RouteParts)],
    ...options,
  })
  work(ground)
  ground.assertAtRest()
  ground.close()
}

/** The client has the whole response. */
export function finish({ responder, consumer }: Sent): void {
  assert.equal(responder.hasEnded, true, 'the response is complete')
  consumer.onFinished()
}

export const bytes = (text: string) => Buffer.from(text, 'latin1')

/** A request with a body, which may not be sent twice. */
export const post = (bodyLength: number | 'unknown' = 'unknown') => ({ method: 'POST', bodyLength })
