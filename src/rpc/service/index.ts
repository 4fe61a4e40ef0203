export { type RpcCode, refusalCodes, retryableCodes, rpcCodes } from './codes.ts'
export type { CallContext, CallOrigin } from './context.ts'
export { contractClash, contractName, contractOf, schemaClash } from './contract.ts'
export { decodeErrorDetails, type ErrorDetail, encodeErrorDetails } from './error-details.ts'
export {
  cameCompressed,
  compressed,
  compressionChoice,
  keepArrival,
  keepChoice,
  noteCompressed,
  uncompressed,
} from './message-compression.ts'
export {
  checkMetadata,
  detailsName,
  isMetadataName,
  type Metadata,
  type MetadataInit,
  type MetadataValue,
  metadataFrom,
  noMetadata,
} from './metadata.ts'
export { addOutcome, outcomeOf } from './outcome-trailer.ts'
export { RpcError, type RpcErrorInit, rpcErrorOf } from './rpc-error.ts'
export type { Codec, Method, MethodKind, Service, ServiceMethods } from './service.ts'
export type { Caller, Callers, Handler, Implementation, Requests } from './shapes.ts'
