/**
 * Writes the generated parts of `docs/engines.md`: what each engine promises, from the list that the contract suite runs,
 * and what Redis cannot. `node scripts/engines-table.ts` rewrites the page, with `--check` it fails when it would.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type PlanePromise, planePromises, whyNot } from '../src/client/contract/plane/index.ts'
import { redisLimits } from '../src/client/drivers/redis/index.ts'
import type { PlaneEngine } from '../src/client/index.ts'

const page = join(import.meta.dirname, '..', 'docs', 'engines.md')
const engines: readonly PlaneEngine[] = ['embedded', 'synod', 'etcd', 'zookeeper', 'redis']

/** A table a section, and below them the reasons that its cells name by number. */
function promisesPart(): string {
  const reasons: string[] = []
  const cell = (engine: PlaneEngine, promise: PlanePromise): string => {
    const reason = whyNot(engine, promise)
    if (reason === undefined) return 'yes'
    if (!reasons.includes(reason)) reasons.push(reason)
    return `no (${reasons.indexOf(reason) + 1})`
  }
  const rows = planePromises.map((promise, i) => {
    const section = planePromises[i - 1]?.section === promise.section ? '' : `**${promise.section}**`
    return `| ${section} | ${promise.title} | ${engines.map((engine) => cell(engine, promise)).join(' | ')} |`
  })
  const head = [`| | promise | ${engines.join(' | ')} |`, `|---|---|${engines.map(() => '---|').join('')}`]
  return [...head, ...rows, '', ...reasons.map((reason, i) => `${i + 1}. ${reason}`)].join('\n')
}

function redisPart(): string {
  return [
    '| asked for | why not |',
    '|---|---|',
    ...redisLimits.map(({ promise, why }) => `| ${promise} | ${why} |`),
  ].join('\n')
}

const parts: Readonly<Record<string, () => string>> = { promises: promisesPart, redis: redisPart }

/** The page with its generated parts as they ought to be. */
export function currentPage(text: string): string {
  return Object.entries(parts).reduce((result, [name, make]) => {
    const [begin, end] = [`<!-- generated: ${name} -->`, '<!-- end -->']
    const from = result.indexOf(begin)
    const to = result.indexOf(end, from)
    if (from < 0 || to < 0) throw new Error(`${page} has no place for ${name}`)
    return `${result.slice(0, from + begin.length)}\n${make()}\n${result.slice(to)}`
  }, text)
}

/** Whether the page is as the contract says. */
export function isCurrent(): boolean {
  const text = readFileSync(page, 'utf8')
  return currentPage(text) === text
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) writeFileSync(page, currentPage(readFileSync(page, 'utf8')))
  else if (!isCurrent()) {
    process.stderr.write('docs/engines.md is out of date: run node scripts/engines-table.ts\n')
    process.exit(1)
  }
}
