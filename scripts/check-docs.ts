/**
 * Compiles every TypeScript snippet of the README and the client's documentation, and runs those that are whole programs.
 * What a page shows as output must be what is printed, and what a page links to must be there. See `doc-snippets.ts` for how
 * pages mark their snippets. `node scripts/check-docs.ts [page …]`.
 */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isAsShown, readSnippets, type SnippetProgram } from './doc-snippets.ts'
import { packageSources } from './package-sources.ts'

const root = join(import.meta.dirname, '..')
const cache = join(root, '.cache')
const timeLimitMs = 30_000

interface Placed extends SnippetProgram {
  readonly file: string
}

/** In the clone, so that the libraries they use are found; under `.cache`, which no other check looks at. */
function placePrograms(folder: string, programs: readonly SnippetProgram[]): Placed[] {
  return programs.map((program) => {
    const name = relative(root, program.page).replaceAll('/', '.').replace(/\.md$/, '')
    const file = join(folder, `${name}.${program.line}.ts`)
    writeFileSync(file, program.code)
    return { ...program, file }
  })
}

/** Undefined when all is well. */
function compile(folder: string, programs: readonly Placed[]): string | undefined {
  const sources = [...packageSources].filter(([, url]) => existsSync(fileURLToPath(url)))
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: {
      paths: Object.fromEntries(sources.map(([name, url]) => [name, [fileURLToPath(url)]])),
      noUnusedLocals: false,
      noUnusedParameters: false,
      // Of libraries without types the sources are read instead.
      allowJs: true,
      maxNodeModuleJsDepth: 2,
      noImplicitAny: false,
    },
    include: [],
    files: programs.map(({ file }) => file),
  }
  const config = join(folder, 'tsconfig.json')
  writeFileSync(config, JSON.stringify(settings))
  const { status, stdout, stderr } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status === 0) return undefined
  const told = `${stdout}${stderr}`.split(/\n(?=\S)/).filter((message) => !isElsewhere(message))
  if (told.length === 0) return undefined
  return programs.reduce(
    (text, { file, page }) => text.replaceAll(relative(root, file), relative(root, page)),
    told.join('\n'),
  )
}

/** What is wrong with the sources themselves is for `tsc -p .` to tell. */
function isElsewhere(message: string): boolean {
  return message.trim() === '' || message.startsWith('src/')
}

/** Undefined when it ended well. */
function run(program: Placed): Promise<string | undefined> {
  const hook = join(import.meta.dirname, 'resolve-synod.ts')
  const args = ['--disable-warning=ExperimentalWarning', '--import', hook, program.file]
  // What it writes, such as `embedded:./data`, goes where it cannot meet the next one.
  const cwd = mkdtempSync(join(dirname(program.file), 'run-'))
  const env = { ...process.env, NODE_COMPILE_CACHE: join(cache, 'compile') }
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env, timeout: timeLimitMs, killSignal: 'SIGKILL' }, (error, out, err) =>
      resolve(failureOf(program, error, out, err)),
    )
  })
}

function failureOf(
  { output }: SnippetProgram,
  error: (Error & { killed?: boolean }) | null,
  printed: string,
  complaints: string,
): string | undefined {
  if (error?.killed === true) return `it did not end within ${timeLimitMs} ms\n${printed}${complaints}`
  if (error !== null) return `${printed}${complaints}`
  if (output === undefined || isAsShown(printed, output)) return undefined
  return `it does not print what the page shows\n--- shown\n${output}\n--- printed\n${printed}`
}

async function runAll(programs: readonly Placed[]): Promise<number> {
  const waiting = [...programs]
  let failures = 0
  const worker = async (): Promise<void> => {
    for (let program = waiting.shift(); program !== undefined; program = waiting.shift()) {
      const failure = await run(program)
      if (failure === undefined) continue
      failures++
      console.log(`${relative(root, program.page)}:${program.line} FAILED: ${failure}`)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, worker))
  return failures
}

/** Links to files of the clone that are not there. */
function brokenLinks(page: string): string[] {
  const targets = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!)
  return targets
    .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(dirname(page), target)))
    .map((target) => `${relative(root, page)}: links to ${target}, which is not there`)
}

const chosen = process.argv.slice(2).map((page) => join(process.cwd(), page))
const patterns = ['README.md', 'docs/engines.md', 'docs/client/**/*.md']
const pages = chosen.length > 0 ? chosen : globSync(patterns, { cwd: root }).map((page) => join(root, page))
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'snippets-'))
try {
  const programs = placePrograms(folder, pages.sort().flatMap(readSnippets))
  const complaints = programs.length === 0 ? undefined : compile(folder, programs)
  if (complaints !== undefined) console.log(complaints)
  const isRun = programs.filter((program) => program.isRun)
  const broken = pages.flatMap(brokenLinks)
  for (const line of broken) console.log(line)
  const failures = broken.length + (complaints === undefined ? await runAll(isRun) : 0)
  console.log(`${pages.length} pages, ${programs.length} programs compiled, ${isRun.length} of them run`)
  if (complaints !== undefined || failures > 0 || (chosen.length === 0 && isRun.length === 0)) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
