import { declareCases } from './grpc/case.ts'
import { leaseCases } from './grpc/lease-cases.ts'

declareCases('gRPC: leases', leaseCases)
