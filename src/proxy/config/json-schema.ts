import type { Definitions } from './schema/index.ts'
import { rootFields } from './shape/root.ts'

/**
 * The configuration file as a JSON Schema (draft 2020-12), for editors: completion, and mistakes as they are typed. It says
 * less than `parseProxyConfig`, which also checks references, ranges of durations, and files.
 */
export function proxyConfigJsonSchema(): Readonly<Record<string, unknown>> {
  const definitions: Definitions = {}
  const root = rootFields.json(definitions) as Record<string, unknown>
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of synod proxy',
    ...root,
    $defs: definitions,
  }
}
