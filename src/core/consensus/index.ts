export {
  configurationSize,
  decodeConfiguration,
  encodeConfiguration,
  readConfiguration,
  writeConfiguration,
} from './configuration-codec.ts'
export { ownRead, type PendingRead, PendingReads, type ReadRound } from './pending-reads.ts'
export { memberBytes, u53Bytes, WireReader, WireWriter } from './wire.ts'
