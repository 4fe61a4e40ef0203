/** Finds what serves a path, and words the refusal of what is not there as grpc-go does. */
import type { GrpcMethod, GrpcRoutes } from '../../wire/grpc/index.ts'
import type { Method, Service } from '../service/index.ts'

/** A method of a service, or one of gRPC's own (health, reflection). */
export type ServedMethod =
  | { readonly kind: 'method'; readonly service: Service; readonly method: Method }
  | { readonly kind: 'own'; readonly method: GrpcMethod }

export class ServedMethods {
  private readonly byPath = new Map<string, ServedMethod>()
  private readonly services = new Set<string>()

  constructor(services: readonly Service[], own: readonly GrpcRoutes[]) {
    for (const routes of own) {
      for (const [path, method] of Object.entries(routes)) this.add(path, { kind: 'own', method })
    }
    for (const service of services) {
      this.services.add(service.name)
      for (const method of Object.values(service.methods)) {
        this.add(`/${service.name}/${method.name}`, { kind: 'method', service, method })
      }
    }
  }

  /** What serves it, or why nothing does. */
  find(path: string): ServedMethod | string {
    const served = this.byPath.get(path)
    if (served !== undefined) return served
    const slash = path.lastIndexOf('/')
    if (!path.startsWith('/') || slash <= 0) return `malformed method name: ${JSON.stringify(path.slice(0, 200))}`
    const service = path.slice(1, slash).slice(0, 200)
    if (!this.services.has(service)) return `unknown service ${service}`
    return `unknown method ${path.slice(slash + 1).slice(0, 200)} for service ${service}`
  }

  private add(path: string, served: ServedMethod): void {
    this.byPath.set(path, served)
    this.services.add(path.slice(1, path.lastIndexOf('/')))
  }
}
