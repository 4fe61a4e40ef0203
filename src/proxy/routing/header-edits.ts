/** Changes to header fields as a route asks for them: remove, then set (replaces), then add. */
import type { HeaderEdits } from '../config/index.ts'
import type { Fields } from '../http/index.ts'
import { compileTemplate, expandTemplate, type Template, type TemplateValues, usesRequestId } from './template.ts'

export interface CompiledEdits {
  readonly isEmpty: boolean
  /** Names whose present fields go: those removed and those set. */
  readonly dropped: ReadonlySet<string>
  /** Names and values to append: set ones first. */
  readonly appended: readonly (readonly [name: string, value: Template])[]
  /** What they make differs between requests that are alike. */
  readonly usesRequestId: boolean
}

export function compileEdits(edits: HeaderEdits): CompiledEdits {
  // Of several values set for one name the last counts.
  const set = new Map(edits.set)
  const appended = [...set, ...edits.add].map(([name, value]) => [name, compileTemplate(value)] as const)
  const dropped = new Set([...edits.remove, ...set.keys()])
  return {
    isEmpty: dropped.size === 0 && appended.length === 0,
    dropped,
    appended,
    usesRequestId: appended.some(([, value]) => usesRequestId(value)),
  }
}

/** The fields after the edits; `fields` itself when there are none. */
export function applyEdits(fields: Fields, edits: CompiledEdits, values: TemplateValues): Fields {
  if (edits.isEmpty) return fields
  const out: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    if (!edits.dropped.has(fields[i]!)) out.push(fields[i]!, fields[i + 1]!)
  }
  appendEdits(out, edits, values)
  return out
}

/** Appends what is set and added. A value that became empty is left out, as nginx does. */
export function appendEdits(out: string[], edits: CompiledEdits, values: TemplateValues): void {
  for (const [name, template] of edits.appended) {
    const value = expandTemplate(template, values)
    if (value !== '') out.push(name, value)
  }
}
