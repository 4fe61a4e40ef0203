/** The tables of docs/traffic/proxy-configuration.md, from the same declarations that validate. */
import { anchorOf, type FieldPage, type ObjectPage } from './schema/index.ts'
import { rootFields } from './shape/root.ts'

/** One section an object, in the order in which they are met. */
export function proxyConfigReference(): string {
  const sections: string[] = []
  const seen = new Set<string>()
  const waiting: ObjectPage[] = [...rootFields.parts]
  for (let page = waiting.shift(); page !== undefined; page = waiting.shift()) {
    if (seen.has(page.title)) continue
    seen.add(page.title)
    sections.push(section(page))
    waiting.unshift(...page.fields.flatMap((field) => field.parts))
  }
  return sections.join('\n\n')
}

function section({ title, doc, fields }: ObjectPage): string {
  const rows = fields.map(
    (field) => `| \`${field.name}\` | ${cell(field.type)} | ${fallbackOf(field)} | ${cell(field.doc)} |`,
  )
  return [
    `<a id="${anchorOf(title)}"></a>\n\n### ${title}\n\n${doc}\n`,
    '| key | value | default | meaning |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n')
}

function fallbackOf({ isRequired, fallback }: FieldPage): string {
  return isRequired ? '**required**' : cell(fallback ?? '')
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ')
}
