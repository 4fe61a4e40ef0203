export {
  configurationSize,
  decodeConfiguration,
  encodeConfiguration,
  readConfiguration,
  writeConfiguration,
} from '../consensus/index.ts'
