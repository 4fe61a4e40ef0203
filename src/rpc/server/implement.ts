import type { Implementation, Service, ServiceMethods } from '../service/index.ts'

/** A service and the functions that serve it: what `createServer` takes. */
export interface ImplementedService {
  readonly service: Service
  /** By the method's name on the wire. */
  readonly handlers: ReadonlyMap<string, ServiceHandler>
}

/** A handler as the server runs it: what it is given and gives is known by the method's kind. */
export type ServiceHandler = (request: unknown, context: unknown) => unknown

/**
 * Joins a service with the functions that serve it. A method without a function answers `UNIMPLEMENTED`. Functions are
 * called as members of `implementation`.
 *
 * @example
 * implement(orders, { place: async (order, context) => ({ id: await store(order) }) })
 */
export function implement<Methods extends ServiceMethods>(
  service: Service<Methods>,
  implementation: Implementation<Methods>,
): ImplementedService {
  const handlers = new Map<string, ServiceHandler>()
  for (const [key, method] of Object.entries(service.methods)) {
    const handler = implementation[key] as ServiceHandler | undefined
    if (handler !== undefined) handlers.set(method.name, handler.bind(implementation))
  }
  return { service, handlers }
}
