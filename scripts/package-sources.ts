/** Which sources the package's entry points are built from, by what a program imports: `synod`, `synod/postgres`, … */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** As URLs. */
export const packageSources: ReadonlyMap<string, string> = new Map(
  Object.entries(exports).flatMap(([entry, target]) => {
    if (typeof target === 'string') return []
    const source = target.default.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts')
    return [[name + entry.slice(1), pathToFileURL(join(root, source)).href] as const]
  }),
)
