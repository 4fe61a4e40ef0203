export { type CanonicalPath, canonicalPath, escapedPath, queryStart } from './canonical-path.ts'
export { CompiledRoute, type RouteFound } from './compiled-route.ts'
export { appendEdits, applyEdits, type CompiledEdits, compileEdits } from './header-edits.ts'
export { hostName } from './host-name.ts'
export { withoutIgnoreCase } from './ignore-case.ts'
export {
  type CompiledLocationRewrites,
  compileLocationRewrites,
  rewriteLocations,
} from './location-rewrites.ts'
export { rewritePath, withQuery } from './rewrite.ts'
export { RouteTable } from './route-table.ts'
export { SmoothSplit } from './split.ts'
export { compileTemplate, expandTemplate, type Template, type TemplateValues, usesRequestId } from './template.ts'
