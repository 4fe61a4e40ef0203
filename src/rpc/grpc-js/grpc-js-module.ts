/** The part of grpc-js that this folder uses: programs give their own copy of it, since each keeps registries of its own. */
export type GrpcJs = Pick<typeof import('@grpc/grpc-js'), 'experimental' | 'status' | 'Metadata' | 'connectivityState'>
