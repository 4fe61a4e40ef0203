/**
 * Writes the tables of `docs/traffic/proxy-configuration.md` from the schema of the configuration, between two marks.
 * `node scripts/proxy-config-page.ts` rewrites them, with `--check` it fails when it would.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { proxyConfigReference } from '../src/proxy/config/index.ts'

const root = join(import.meta.dirname, '..')
const page = join(root, 'docs', 'traffic', 'proxy-configuration.md')
const [begin, end] = ['<!-- reference: written by scripts/proxy-config-page.ts -->', '<!-- end of the reference -->']

/** The page as it should be. */
function currentPage(): string {
  const text = readFileSync(page, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${page} has no place for the reference: ${begin} … ${end}`)
  return `${text.slice(0, from)}${begin}\n\n${proxyConfigReference()}\n\n${text.slice(to)}`
}

/** The page's path in the repository when it is not as the schema says. */
export function outdatedFiles(): string[] {
  return readFileSync(page, 'utf8') === currentPage() ? [] : [relative(root, page)]
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) writeFileSync(page, currentPage())
  else {
    const outdated = outdatedFiles()
    for (const file of outdated) process.stderr.write(`${file} is out of date: run node scripts/proxy-config-page.ts\n`)
    if (outdated.length > 0) process.exitCode = 1
  }
}
