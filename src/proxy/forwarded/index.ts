export { type Cidr, type CidrSet, cidrSet, parseCidr } from './cidr.ts'
export { clientAddress, joinedValues } from './client-address.ts'
export { appendForwardedFields, type ForwardedMode, isForwardedField } from './forwarded-fields.ts'
export { acceptedRequestId, newRequestId, requestIdField } from './request-id.ts'
