/**
 * Compiles every TypeScript snippet of the README and the client's documentation, and runs those that are whole programs.
 * What a page shows as output must be what is printed, what a page links to must be there, and YAML on the README and the
 * pages of `traffic` must be a good configuration of the proxy. See `doc-snippets.ts` for how pages mark their snippets.
 *
 *     node scripts/check-docs.ts [page …]
 *     node scripts/check-docs.ts --engines synod,etcd,zookeeper,redis [page …]   on real servers, which it starts
 *
 * On a real server the same programs run with another connection string. Those that the types then refuse are told and
 * left out: they need what the engine does not keep.
 */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { formatProblem, parseProxyConfig } from '../src/proxy/config/index.ts'
import { isAsShown, readSnippets, readYamlSnippets, type SnippetProgram } from './doc-snippets.ts'
import { type EngineName, engineNames, startEngine } from './example-engines.ts'
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
    const file = join(folder, `${nameOf(program)}.ts`)
    writeFileSync(file, program.code)
    return { ...program, file }
  })
}

function nameOf({ page, line }: SnippetProgram): string {
  return `${relative(root, page).replaceAll('/', '.').replace(/\.md$/, '')}.${line}`
}

/** The same program elsewhere, under keys of its own. */
function connectedTo(connection: string, program: SnippetProgram): SnippetProgram {
  const url = `${connection}?namespace=${nameOf(program)}/`
  return { ...program, code: program.code.replaceAll(/connect\('(?:memory|embedded):[^']*'\)/g, `connect('${url}')`) }
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
  return told.length === 0 ? undefined : told.join('\n')
}

/** What the compiler says, with the pages' names. */
function onPages(complaints: string, programs: readonly Placed[]): string {
  return programs.reduce(
    (text, { file, page }) => text.replaceAll(relative(root, file), relative(root, page)),
    complaints,
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

/** What is wrong with configurations of the proxy that the page shows, warnings included, by the page's own lines. */
function badConfigurations(page: string): string[] {
  if (basename(dirname(page)) !== 'traffic' && page !== join(root, 'README.md')) return []
  const name = relative(root, page)
  return readYamlSnippets(page).flatMap(({ line, text }) => {
    const parsed = parseProxyConfig(text, { file: page })
    const problems = parsed.ok ? parsed.warnings : parsed.problems
    return problems.map((problem) => formatProblem(name, { ...problem, line: problem.line + line }))
  })
}

/** Compiles all, runs those that are whole programs. Gives the number of failures. */
async function check(folder: string, programs: readonly SnippetProgram[]): Promise<number> {
  const placed = placePrograms(folder, programs)
  const complaints = placed.length === 0 ? undefined : compile(folder, placed)
  if (complaints !== undefined) {
    console.log(onPages(complaints, placed))
    return 1
  }
  const whole = placed.filter(({ isRun }) => isRun)
  const failures = await runAll(whole)
  console.log(`${placed.length} programs compiled, ${whole.length} of them run, ${failures} failed`)
  return failures
}

/** Runs what the types say that this engine can run. */
async function checkOn(engine: EngineName, folder: string, programs: readonly SnippetProgram[]): Promise<number> {
  const { connection, stop } = await startEngine(engine)
  try {
    const whole = programs.filter(({ isRun }) => isRun).map((program) => connectedTo(connection, program))
    const placed = placePrograms(folder, whole)
    const complaints = compile(folder, placed) ?? ''
    const refused = placed.filter(({ file }) => complaints.includes(relative(root, file)))
    if (refused.length > 0) console.log(`${engine}: the types refuse ${refused.map(nameOf).join(', ')}`)
    const isWhole = engine === 'synod' || engine === 'etcd'
    const failures =
      (await runAll(placed.filter((program) => !refused.includes(program)))) + (isWhole ? refused.length : 0)
    console.log(`${engine}: ${placed.length - refused.length} programs run, ${failures} failed`)
    return failures
  } finally {
    await stop()
  }
}

function engineNamed(name: string): EngineName {
  const engine = engineNames.find((known) => known === name)
  if (engine === undefined) throw new Error(`--engines ${name}: there is ${engineNames.join(', ')}`)
  return engine
}

const { values, positionals } = parseArgs({ options: { engines: { type: 'string' } }, allowPositionals: true })
const patterns = ['README.md', 'docs/engines.md', 'docs/client/**/*.md', 'docs/traffic/**/*.md']
const pages =
  positionals.length > 0
    ? positionals.map((page) => resolve(page))
    : globSync(patterns, { cwd: root }).map((page) => join(root, page))
mkdirSync(cache, { recursive: true })
const folder = mkdtempSync(join(cache, 'snippets-'))
try {
  const programs = pages.sort().flatMap(readSnippets)
  if (!programs.some(({ isRun }) => isRun)) throw new Error('no page has a program to run')
  let failures = 0
  if (values.engines === undefined) {
    const broken = pages.flatMap(brokenLinks)
    broken.push(...pages.flatMap(badConfigurations))
    for (const line of broken) console.log(line)
    failures = broken.length + (await check(folder, programs))
  } else {
    for (const engine of values.engines.split(',').map(engineNamed)) failures += await checkOn(engine, folder, programs)
  }
  if (failures > 0) process.exitCode = 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
