export { boundUrls } from './bound-urls.ts'
export type { SettingSources } from './collect.ts'
export { clusterIdOf, memberIdOf } from './member-identity.ts'
export {
  type AutoCompaction,
  ConfigError,
  type Consensus,
  type MemberConfig,
  type NodeConfig,
  readNodeConfig,
} from './node-config.ts'
export { type Setting, settings } from './settings.ts'
export { addressOf, type HttpUrl, isLoopback, parseUrls } from './urls.ts'
