/** The result as text: short maps on one line, a comment where each route comes from, room between what is large. */
import { Document, isCollection, isMap, isPair, isScalar, isSeq, visit, type YAMLMap, type YAMLSeq } from 'yaml'

/** The key under which a draft keeps its comment until it is written. */
export const comment = '#'

const flowLengthMax = 84

/** YAML of `draft`, below `head`. */
export function writtenYaml(draft: Record<string, unknown>, head: readonly string[]): string {
  const document = new Document(shared(draft), { aliasDuplicateObjects: true })
  document.commentBefore = head.map(oneLine).join('\n')
  nameAnchors(document)
  const root = document.contents
  if (isMap(root)) {
    for (const [index, pair] of root.items.entries()) {
      if (index > 0 && isScalar(pair.key) && (pair.key.value === 'listeners' || pair.key.value === 'upstreams'))
        pair.key.spaceBefore = true
      if (isSeq(pair.value)) for (const [index, listener] of pair.value.items.entries()) laidOut(listener, index)
      else if (isMap(pair.value))
        for (const each of pair.value.items) if (isCollection(each.value)) shortened(each.value)
    }
  }
  return document.toString({ lineWidth: 120, flowCollectionPadding: false, singleQuote: true })
}

/** The same objects where large ones are equal: they are written once. */
function shared(draft: Record<string, unknown>): Record<string, unknown> {
  const known = new Map<string, unknown>()
  const copy = (value: unknown, depth: number): unknown => {
    if (typeof value !== 'object' || value === null) return value
    const made = Array.isArray(value)
      ? value.map((each) => copy(each, depth + 1))
      : Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copy(each, depth + 1)]))
    const text = JSON.stringify(made)
    if (depth < 3 || text.length <= flowLengthMax) return made
    if (!known.has(text)) known.set(text, made)
    return known.get(text)
  }
  return copy(draft, 0) as Record<string, unknown>
}

/** Anchors after the key that they stand under: `&routes`, `&requestHeaders-2`. */
function nameAnchors(document: Document): void {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  visit(document, {
    Pair(_key, { key, value }) {
      if (!isCollection(value) || value.anchor === undefined) return
      const word = isScalar(key) ? String(key.value).replace(/[^A-Za-z0-9]/g, '') || 'same' : 'same'
      const count = (counts.get(word) ?? 0) + 1
      counts.set(word, count)
      const name = count === 1 ? word : `${word}-${count}`
      names.set(value.anchor, name)
      value.anchor = name
    },
    Alias(_key, alias) {
      alias.source = names.get(alias.source) ?? alias.source
    },
  })
}

/** A listener: its settings short, its routes each with its comment. */
function laidOut(listener: unknown, index: number): void {
  if (!isMap(listener)) return
  if (index > 0) listener.spaceBefore = true
  for (const { key, value } of listener.items) {
    if (!isScalar(key) || !isCollection(value)) continue
    if (key.value !== 'routes' || !isSeq(value)) {
      shortened(value)
      continue
    }
    let last = ''
    for (const route of value.items) {
      if (!isMap(route)) continue
      const said = String(route.get(comment) ?? '')
      route.delete(comment)
      if (said !== '' && said !== last) route.commentBefore = oneLine(` ${said}`)
      last = said
      for (const pair of route.items) if (isCollection(pair.value)) shortened(pair.value)
    }
  }
}

/** On one line where it fits there, and its parts where it does not. */
function shortened(node: YAMLMap | YAMLSeq): void {
  const text = JSON.stringify(node)
  if (text.length <= flowLengthMax && !text.includes('\\n') && depthOf(node) <= 2) {
    node.flow = true
    return
  }
  for (const item of node.items) {
    const value = isPair(item) ? item.value : item
    if (isCollection(value)) shortened(value as YAMLMap | YAMLSeq)
  }
}

function depthOf(node: unknown): number {
  if (!isCollection(node)) return 0
  return 1 + Math.max(0, ...(node.items as unknown[]).map((item) => depthOf(isPair(item) ? item.value : item)))
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
}
