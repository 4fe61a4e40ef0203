export { checkCertificates, type ReadTextFile } from './certificates.ts'
export { checkReferences } from './references.ts'
