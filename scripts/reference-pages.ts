/** The API reference as Markdown: a page for each folder of the client, and one for each other entry point. */
import { type Declared, type ExportedName, readMembers } from './declarations.ts'

export interface ReferencePage {
  /** `counters.md`. */
  readonly file: string
  readonly title: string
  /** What a program writes after `from`. */
  readonly imported: string
  readonly names: readonly ExportedName[]
}

/** Where each name is described: `counters.md#counter`. */
type Places = ReadonlyMap<string, string>

const generated = '<!-- Written by `node scripts/api-reference.ts` from the comments in the sources. -->'

/** The text of each file, by its name. */
export function renderReference(pages: readonly ReferencePage[]): ReadonlyMap<string, string> {
  const places = new Map(
    pages.flatMap(({ file, names }) => names.map(({ name }) => [name, `${file}#${name.toLowerCase()}`] as const)),
  )
  const files = new Map(pages.map((page) => [page.file, renderPage(page, places)]))
  return files.set('README.md', renderContents(pages, places))
}

function renderContents(pages: readonly ReferencePage[], places: Places): string {
  const sections = pages.map(({ file, title, imported, names }) => {
    const rows = names.map(({ name, declarations }) => {
      const sentence = firstSentence(linked(prose(declarations[0]!.doc), places)).replaceAll('|', '\\|')
      return `| [${name}](${places.get(name)}) | ${sentence} |`
    })
    return `## [${title}](${file})\n\nFrom \`'${imported}'\`.\n\n| | |\n|---|---|\n${rows.join('\n')}`
  })
  return `# Reference\n\n${generated}\n\n${sections.join('\n\n')}\n`
}

function renderPage({ title, imported, names }: ReferencePage, places: Places): string {
  const sections = names.map(({ name, declarations }) => {
    const parts = declarations.map((declared) => renderDeclaration(declared, places))
    return [`## ${name}`, ...parts].join('\n\n')
  })
  return `# ${title}\n\n${generated}\n\nFrom \`'${imported}'\`.\n\n${sections.join('\n\n')}\n`
}

function renderDeclaration(declared: Declared, places: Places): string {
  const { head, members } = readMembers(declared.code) ?? { head: declared.code, members: [] }
  const documented = members.map(({ doc, code }) => join(fenced(code), rendered(doc, places)))
  return join(rendered(declared.doc, places), fenced(withoutExport(head)), ...documented)
}

function join(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n')
}

function withoutExport(code: string): string {
  return code.replace(/^export (declare )?/, '')
}

/** Code as it stands in the clone: two spaces, no semicolons at the ends of lines. */
function fenced(code: string): string {
  const lines = code.split('\n').map((line) => line.replace(/^ +/, indentOf).replace(/;$/, ''))
  const [first = '', ...rest] = lines
  const indent = Math.min(...rest.filter((line) => line !== '').map((line) => /^ */.exec(line)![0].length))
  // The last line closes what the first one opens: both stand at the margin.
  const body = rest.map((line) => line.slice(Number.isFinite(indent) ? indent : 0))
  return `\`\`\`ts\n${[first, ...body].join('\n')}\n\`\`\``
}

function indentOf(spaces: string): string {
  return spaces.slice(0, Math.ceil(spaces.length / 2))
}

/** TSDoc as Markdown: its text, what it throws, its examples as code. */
function rendered(doc: string, places: Places): string {
  const [text = '', ...tags] = doc.split(/^@(?=example|throws|param|returns|see)/m)
  const parts = tags.map((tag) => {
    const content = tag.replace(/^\w+/, '').trim()
    return tag.startsWith('example')
      ? `\`\`\`ts\n${content}\n\`\`\``
      : linked(`*${tag.split(/\s/)[0]}*: ${content}`, places)
  })
  return join(linked(text.trim(), places), ...parts)
}

function prose(doc: string): string {
  return doc.split(/^@/m)[0]!.trim()
}

function linked(text: string, places: Places): string {
  return text.replaceAll(/\{@link ([\w$]+)((?:\.[\w$]+)?)\}/g, (_whole, name: string, member: string) => {
    const place = places.get(name)
    return place === undefined ? `\`${name}${member}\`` : `[${name}${member}](${place})`
  })
}

function firstSentence(text: string): string {
  const paragraph = text.split(/\n\s*\n/)[0]!.replaceAll('\n', ' ')
  return /^.*?[.:](?= [A-Z`{]|$)/.exec(paragraph)?.[0] ?? paragraph
}
