export type { ReadTextFile } from './check/index.ts'
export { proxyConfigJsonSchema } from './json-schema.ts'
export type * from './model.ts'
export { type ParsedConfig, type ParseOptions, parseProxyConfig } from './parse.ts'
export { formatProblem, type Problem } from './problem.ts'
export { proxyConfigReference } from './reference-page.ts'
export { isHost, isIpv4, isIpv6 } from './schema/index.ts'
export {
  isTemplateVariable,
  type TemplatePart,
  type TemplateVariable,
  templateParts,
  templateVariables,
} from './variables.ts'
export { watchProxyConfig } from './watch.ts'
