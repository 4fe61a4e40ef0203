import { declareCases } from './grpc/case.ts'
import { kvCases } from './grpc/kv-cases.ts'

declareCases('gRPC: key-value and maintenance', kvCases)
