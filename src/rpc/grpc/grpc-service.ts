import type { Service, ServiceMethods } from '../service/index.ts'
import { type DefinedService, type DefinitionMethods, serviceOfDefinition } from './definition-service.ts'
import { type DescriptorMethods, type ServiceDescriptor, serviceOfDescriptor } from './descriptor-service.ts'

/**
 * A service of a `.proto` file, from generated code: a service descriptor of protoc-gen-es 2 (its types carry over to
 * clients and handlers; needs `@bufbuild/protobuf`), or a `ServiceDefinition` as grpc-js has it, from `@grpc/proto-loader`
 * or grpc-tools. The latter's types tell no messages: name the methods yourself, `grpcService<Methods>(definition)`.
 * Methods with `idempotency_level` are idempotent.
 *
 * @example
 * import { Orders } from './gen/orders_pb.js'
 * const orders = createClient(grpcService(Orders), { target: 'synod:///orders', synod })
 */
export function grpcService<Descriptor extends ServiceDescriptor>(
  descriptor: Descriptor,
): Service<DescriptorMethods<Descriptor>>
export function grpcService<Methods extends ServiceMethods>(definition: DefinedService): Service<Methods>
export function grpcService<Definition extends DefinedService>(
  definition: Definition,
): Service<DefinitionMethods<Definition>>
export function grpcService(from: ServiceDescriptor | DefinedService): Service {
  return isDescriptor(from) ? (serviceOfDescriptor(from) as Service) : serviceOfDefinition(from)
}

function isDescriptor(from: ServiceDescriptor | DefinedService): from is ServiceDescriptor {
  return (from as { readonly kind?: unknown }).kind === 'service'
}
