export { isIpv4, isIpv6 } from '../../ip/index.ts'
export {
  endpointAddress,
  type HostPort,
  isHost,
  listenAddress,
  network,
  parseHostPort,
  plainHost,
  siteName,
} from './address.ts'
export {
  decimal,
  duration,
  flag,
  formatDuration,
  formatSize,
  integer,
  off,
  oneOf,
  parseDuration,
  percent,
  type Refusal,
  refuse,
  scalar,
  size,
  text,
} from './scalars.ts'
export {
  type Definitions,
  type FieldPage,
  type Form,
  type Invalid,
  invalid,
  type ObjectPage,
  type Read,
  type Schema,
} from './schema.ts'
export {
  anchorOf,
  called,
  either,
  field,
  list,
  mapped,
  type ObjectOf,
  object,
  optional,
  orOff,
  record,
  required,
} from './structures.ts'
export { suggestion } from './suggestion.ts'
export { aliasesMax, fileBytesMax, nodeVisitsMax, sourceText, YamlSource } from './yaml-source.ts'
