/** Plain `@grpc/grpc-js` programs on Synod's registry. */
export type { GrpcJs } from './grpc-js-module.ts'
export { registerSynodResolver, type SynodResolverOptions } from './register-resolver.ts'
