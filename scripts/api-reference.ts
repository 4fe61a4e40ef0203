/**
 * Writes `docs/reference` from the declarations that the compiler emits for the package's entry points. With `--check` it
 * writes nothing, and fails when what is there is not what it would write. With `--unnamed` it lists the types that public
 * declarations mention and no entry point exports.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ExportedName, readDeclared, readExports } from './declarations.ts'
import { packageSources } from './package-sources.ts'
import { type ReferencePage, renderReference } from './reference-pages.ts'

const root = join(import.meta.dirname, '..')
const target = join(root, 'docs', 'reference')

function emitDeclarations(folder: string): void {
  const tsc = join(root, 'node_modules', '.bin', 'tsc')
  const args = ['-p', 'tsconfig.build.json', '--emitDeclarationOnly', '--outDir', folder]
  const { stdout } = spawnSync(tsc, args, { cwd: root, encoding: 'utf8' })
  // Errors in the sources are for `tsc -p .` to tell: declarations are emitted all the same.
  if (!existsSync(join(folder, 'client', 'index.d.ts'))) throw new Error(`no declarations were emitted:\n${stdout}`)
}

/** The first entry point has a page for each folder its names come from, the others one each. */
function pagesOf(folder: string): ReferencePage[] {
  return [...packageSources].flatMap(([imported, url]) => {
    const source = relative(join(root, 'src'), fileURLToPath(url))
    const entry = join(folder, source.replace(/\.ts$/, '.d.ts'))
    const names = readExports(entry)
    if (imported === 'synod') return clientPages(imported, names, join(folder, 'client'))
    return [{ file: `${imported.replaceAll('/', '-')}.md`, title: imported, imported, names }]
  })
}

function clientPages(imported: string, names: readonly ExportedName[], client: string): ReferencePage[] {
  const folderOf = ({ file }: ExportedName): string => {
    const [first] = relative(client, file).split('/')
    return first!.endsWith('.d.ts') ? 'errors-and-limits' : first!
  }
  const folders = [...new Set(names.map(folderOf))].sort()
  return folders.map((title) => {
    const members = names.filter((one) => folderOf(one) === title)
    return { file: `${title}.md`, title: title.replaceAll('-', ' '), imported, names: members }
  })
}

/** Names of the client's own declarations that public ones mention, and that cannot be imported. */
function unnamedTypes(pages: readonly ReferencePage[], folder: string): string[] {
  const files = globSync('client/**/*.d.ts', { cwd: folder }).map((file) => join(folder, file))
  const declared = files.flatMap((file) => readDeclared(readFileSync(file, 'utf8')))
  const known = new Set(
    declared.flatMap(({ code }) => /^export (?:interface|type|declare class) (\w+)/.exec(code)?.[1] ?? []),
  )
  const names = pages.flatMap((page) => page.names)
  const exported = new Set(names.map(({ name }) => name))
  const mentioned = names.flatMap(({ name, declarations }) =>
    declarations.flatMap(({ code }) =>
      [...withoutComments(code).matchAll(/(?<=[:<|&( ])[A-Z]\w+/g)].map(([word]) => ({ word, name })),
    ),
  )
  const missing = mentioned.filter(({ word }) => known.has(word) && !exported.has(word))
  return [...new Set(missing.map(({ word }) => word))].map((word) => {
    const at = missing.filter((one) => one.word === word).map(({ name }) => name)
    return `${word} (in ${[...new Set(at)].join(', ')})`
  })
}

function withoutComments(code: string): string {
  return code.replace(/\/\*.*?\*\//gs, '')
}

function differences(files: ReadonlyMap<string, string>): string[] {
  const there = existsSync(target) ? readdirSync(target) : []
  const stale = [...files].filter(
    ([file, text]) => !there.includes(file) || readFileSync(join(target, file), 'utf8') !== text,
  )
  return [...stale.map(([file]) => file), ...there.filter((file) => !files.has(file))]
}

const folder = mkdtempSync(join(tmpdir(), 'synod-declarations-'))
try {
  emitDeclarations(folder)
  const pages = pagesOf(folder)
  const files = renderReference(pages)
  if (process.argv.includes('--unnamed')) for (const line of unnamedTypes(pages, folder)) console.log(line)
  else if (process.argv.includes('--check')) {
    const stale = differences(files)
    if (stale.length > 0) {
      console.log(`docs/reference is not what the sources say: ${stale.join(', ')}\nrun: node scripts/api-reference.ts`)
      process.exitCode = 1
    }
  } else {
    mkdirSync(target, { recursive: true })
    for (const file of readdirSync(target)) if (!files.has(file)) rmSync(join(target, file))
    for (const [file, text] of files) writeFileSync(join(target, file), text)
    console.log(`${files.size} pages, ${pages.flatMap(({ names }) => names).length} names`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
