// What a program pays before its first request: the size of what npm installs, the import, and the first embedded write.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { median } from './table.ts'

const root = resolve(import.meta.dirname, '../..')
const runs = 9

export interface StartUp {
  /** Of the package's archive. */
  readonly packedBytes: number
  /** Of the package and all it depends on, unpacked. */
  readonly installedBytes: number
  /** `import 'synod'` in a process of its own, median. */
  readonly importMs: number
  /** From `connect('embedded:…')` to the first durable write in a new directory, median. */
  readonly firstWriteMs: number
  /** All of it, for people. */
  readonly lines: readonly string[]
}

const program = `
const started = performance.now()
const { connect } = await import('synod')
const imported = performance.now()
const synod = await connect('embedded:' + process.argv[2])
await synod.kv.put('key', 'value')
const written = performance.now()
console.log(JSON.stringify({ importMs: imported - started, firstWriteMs: written - imported }))
await synod.close()
`

/** Builds, packs and installs the package as npm would, and starts programs that use it. */
export function measureStartUp(): StartUp {
  const work = mkdtempSync(join(tmpdir(), 'synod-install-'))
  try {
    const archive = pack(work)
    const app = join(work, 'app')
    mkdirSync(app)
    writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }')
    npm(app, 'install', '--prefer-offline', '--no-audit', '--no-fund', '--omit=dev', '--omit=peer', archive)
    writeFileSync(join(app, 'first-write.js'), program)
    const samples = Array.from({ length: runs }, (_, run) => {
      const output = execFileSync(process.execPath, ['first-write.js', join(work, `data-${run}`)], { cwd: app })
      return JSON.parse(output.toString()) as Pick<StartUp, 'importMs' | 'firstWriteMs'>
    })
    const figures = {
      packedBytes: statSync(archive).size,
      installedBytes: sizeOf(join(app, 'node_modules')),
      importMs: median(samples.map(({ importMs }) => importMs)),
      firstWriteMs: median(samples.map(({ firstWriteMs }) => firstWriteMs)),
    }
    return { ...figures, lines: linesOf(figures) }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function linesOf(figures: Omit<StartUp, 'lines'>): string[] {
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(0)} kB`
  return [
    '| start | measured |',
    '| --- | --- |',
    `| archive | ${kilobytes(figures.packedBytes)} |`,
    `| installed, with its dependencies | ${kilobytes(figures.installedBytes)} |`,
    `| \`import 'synod'\`, median of ${runs} | ${figures.importMs.toFixed(0)} ms |`,
    `| connect('embedded:…') to the first durable write, median of ${runs} | ${figures.firstWriteMs.toFixed(0)} ms |`,
  ]
}

/** Beside the tree, which keeps its own `dist`. */
function pack(work: string): string {
  const stage = join(work, 'stage')
  mkdirSync(stage)
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly files: readonly string[] }
  for (const name of ['package.json', ...manifest.files])
    if (name !== 'dist') cpSync(join(root, name), join(stage, name), { recursive: true })
  const compiler = join(root, 'node_modules/.bin/tsc')
  execFileSync(compiler, ['-p', join(root, 'tsconfig.build.json'), '--outDir', join(stage, 'dist')], {
    stdio: ['ignore', 2, 2],
  })
  const packed = npm(stage, 'pack', '--ignore-scripts', '--pack-destination', work)
  return join(work, packed.trim().split('\n').at(-1)!)
}

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', ['--loglevel=error', ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 2] })
}

function sizeOf(path: string): number {
  const entries = readdirSync(path, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}
