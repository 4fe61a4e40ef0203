import { declareCases } from './grpc/case.ts'
import { watchCases } from './grpc/watch-cases.ts'

declareCases('gRPC: watches', watchCases)
