import type { GrpcMethod, GrpcRoutes } from './method.ts'
import { type GrpcFailure, GrpcStatusCode } from './status.ts'

const statusCodes = 17

/** A method and what has become of its calls. */
export class RegisteredMethod {
  readonly path: string
  readonly method: GrpcMethod
  /** Finished calls by status code. */
  readonly finished = new Float64Array(statusCodes)

  constructor(path: string, method: GrpcMethod) {
    this.path = path
    this.method = method
  }
}

/** Finds methods by path, and words the refusal of those that are not there as grpc-go does. */
export class MethodTable {
  private readonly methods = new Map<string, RegisteredMethod>()
  private readonly services = new Set<string>()

  constructor(routes: readonly GrpcRoutes[]) {
    for (const table of routes) for (const [path, method] of Object.entries(table)) this.add(path, method)
  }

  add(path: string, method: GrpcMethod): void {
    this.methods.set(path, new RegisteredMethod(path, method))
    this.services.add(path.slice(1, path.lastIndexOf('/')))
  }

  all(): Iterable<RegisteredMethod> {
    return this.methods.values()
  }

  find(path: string): RegisteredMethod | GrpcFailure {
    return this.methods.get(path) ?? { status: GrpcStatusCode.unimplemented, message: this.refusal(path) }
  }

  private refusal(path: string): string {
    const name = path.startsWith('/') ? path.slice(1) : path
    const slash = name.lastIndexOf('/')
    if (slash === -1) return `malformed method name: ${JSON.stringify(path)}`
    const service = name.slice(0, slash)
    if (!this.services.has(service)) return `unknown service ${service}`
    return `unknown method ${name.slice(slash + 1)} for service ${service}`
  }
}
