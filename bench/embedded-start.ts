/**
 * How soon an embedded engine has its first write: within a program that runs already (from opening the driver), and from
 * the start of the process. Runs the built code, as an installed package would; `--source` runs the sources.
 *
 *     node bench/embedded-start.ts [--runs 9] [--source]
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { runs: { type: 'string', default: '9' }, source: { type: 'boolean' } } })
const runs = Number(values.runs)
const root = resolve(import.meta.dirname, '..')
const work = mkdtempSync(join(tmpdir(), 'synod-start-'))

interface Sample {
  readonly importMs: number
  readonly openMs: number
  readonly writeMs: number
  readonly processMs: number
}

/** What each process runs: its arguments are where the code is, its extension, the directory, and the nodes. */
const program = `
const [code, extension, directory, nodes] = process.argv.slice(2)
const started = performance.now()
const { openEmbeddedDriver } = await import(code + '/client/drivers/embedded/index.' + extension)
const { createNodeRuntime, holdProcess } = await import(code + '/runtime/node/index.' + extension)
const imported = performance.now()
const options = { directory: directory === '' ? undefined : directory, nodes: Number(nodes), holdProcess }
const driver = await openEmbeddedDriver(options, createNodeRuntime({ logLevel: 'error' }))
const opened = performance.now()
await driver.transact({ compares: [], success: [{ type: 'put', key: 'key', value: Buffer.from('value') }] })
const written = performance.now()
console.log(JSON.stringify({ importMs: imported - started, openMs: opened - imported, writeMs: written - opened, processMs: written }))
await driver.close()
`

function build(): { readonly code: string; readonly extension: string } {
  if (values.source === true) return { code: join(root, 'src'), extension: 'ts' }
  const code = join(work, 'dist')
  const compiler = join(root, 'node_modules/.bin/tsc')
  execFileSync(
    compiler,
    ['-p', join(root, 'tsconfig.build.json'), '--noCheck', '--declaration', 'false', '--outDir', code],
    { stdio: 'inherit' },
  )
  symlinkSync(join(root, 'node_modules'), join(work, 'node_modules'))
  writeFileSync(join(code, 'package.json'), '{ "type": "module" }')
  return { code, extension: 'js' }
}

function measure(code: string, extension: string, directory: string, nodes: number): Sample {
  const file = join(work, 'first-write.mjs')
  if (!existsSync(file)) writeFileSync(file, program)
  const child = spawnSync(process.execPath, [file, code, extension, directory, String(nodes)], { encoding: 'utf8' })
  if (child.status !== 0) throw new Error(`the program ended with ${child.status}: ${child.stderr}`)
  return JSON.parse(child.stdout) as Sample
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!
}

function report(name: string, samples: readonly Sample[]): void {
  const of = (pick: (sample: Sample) => number): string => median(samples.map(pick)).toFixed(0).padStart(9)
  const inProcess = of(({ openMs, writeMs }) => openMs + writeMs)
  console.log(
    `${name.padEnd(34)}${of(({ importMs }) => importMs)}${of(({ openMs }) => openMs)}${of(({ writeMs }) => writeMs)}${inProcess.padStart(12)}${of(({ processMs }) => processMs).padStart(12)}`,
  )
}

try {
  const { code, extension } = build()
  const directoryFor = (name: string, run: number): string => join(work, `${name}-${run}`)
  const cases: readonly { readonly name: string; readonly nodes: number; readonly place: (run: number) => string }[] = [
    { name: 'memory:', nodes: 1, place: () => '' },
    { name: 'embedded:./data, made anew', nodes: 1, place: (run) => directoryFor('one', run) },
    { name: 'embedded:./data, opened again', nodes: 1, place: (run) => directoryFor('one', run) },
    { name: 'memory:?nodes=3', nodes: 3, place: () => '' },
    { name: 'embedded:./data?nodes=3, made anew', nodes: 3, place: (run) => directoryFor('three', run) },
  ]
  console.log(
    `milliseconds, median of ${runs}, ${values.source === true ? 'sources' : 'built code'}, Node ${process.version}`,
  )
  console.log(`${''.padEnd(34)}   import     open    write  in process  whole process`)
  for (const { name, nodes, place } of cases)
    report(
      name,
      Array.from({ length: runs }, (_, run) => measure(code, extension, place(run), nodes)),
    )
} finally {
  rmSync(work, { recursive: true, force: true })
}
