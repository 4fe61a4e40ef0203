/** `synod/node`: a node inside another program. The API for programs that use a cluster is a part of its own. */
export { createNodeRuntime, type NodeRuntimeOptions } from '../runtime/node/index.ts'
export { ConfigError, type NodeConfig, readNodeConfig, type SettingSources } from './config/index.ts'
export {
  DataDirectoryError,
  MemberRemovedError,
  type NodeHooks,
  type ProcessMetrics,
  type RunningNode,
  startNode,
} from './index.ts'
