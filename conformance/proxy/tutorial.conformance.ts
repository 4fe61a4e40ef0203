// docs/traffic/proxy.md, followed to the letter: its files are written, its commands run, and what it shows must be printed.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { isAsShown } from '../../scripts/doc-snippets.ts'
import { skipWithout } from '../peers.ts'

const root = join(import.meta.dirname, '..', '..')
const page = join(root, 'docs', 'traffic', 'proxy.md')
const portsOnPage = ['3001', '3002', '3003', '8080', '8081', '8443', '9901']
const timeLimitMs = 60_000

/** Commands of the page, and what they print where the page says so. */
interface Step {
  readonly line: number
  readonly commands: string
  shown: string | undefined
}

/** A file that the page shows under its name becomes a step that writes it. */
function readSteps(text: string): Step[] {
  const steps: Step[] = []
  let file: string | undefined
  const lines = text.split('\n')
  for (let at = 0; at < lines.length; at++) {
    file = /^`([\w.]+)`:$/.exec(lines[at]!)?.[1] ?? file
    const language = /^```(\w+)$/.exec(lines[at]!)?.[1]
    if (language === undefined) continue
    const line = at + 1
    const end = lines.indexOf('```', line)
    const body = lines.slice(line, end).join('\n')
    at = end
    if (file !== undefined) steps.push({ line, commands: `cat > ${file} <<'END'\n${body}\nEND`, shown: undefined })
    else if (language === 'sh') steps.push({ line, commands: `${body}\n${waiting(body)}`, shown: undefined })
    else if (language === 'output') steps.at(-1)!.shown = body
    file = undefined
  }
  return steps
}

/** What a reader does without being told: waits until it has started. */
function waiting(commands: string): string {
  const servers = [...commands.matchAll(/^node app\.js \w+ (\d+) &$/gm)].map(([, port]) => port)
  if (commands.startsWith('synod proxy run ')) servers.push('9901')
  return servers.map((port) => `until curl -s -o first http://127.0.0.1:${port}/health; do sleep 0.05; done`).join('\n')
}

function scriptOf(steps: readonly Step[]): string {
  const said = steps.map(({ commands, line }) => {
    // The access log is written in batches.
    const before =
      commands.includes('access.log') && commands.startsWith('tail')
        ? 'until [ -s access.log ]; do sleep 0.05; done'
        : ''
    return `${before}\n${commands}\necho '== end of ${line}'\n`
  })
  // Without a terminal bash forgets a job that ended before anybody waited for it.
  const wait = 'wait() { builtin wait "$@" 2> /dev/null || true; }'
  return `set -e\n${wait}\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n${said.join('')}`
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once('listening', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

function runScript(folder: string, script: string): Promise<{ readonly printed: string; readonly complaints: string }> {
  symlinkSync(process.execPath, join(folder, 'node'))
  symlinkSync(join(root, 'synod'), join(folder, 'synod'))
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}` }
  const options = { cwd: folder, env, timeout: timeLimitMs, killSignal: 'SIGTERM' } as const
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], options, (_error, printed, complaints) => resolve({ printed, complaints }))
  })
}

/** Columns move with the length of the ports. */
function normal(text: string): string {
  return text.replace(/ +/g, ' ').replace(/ +$/gm, '').trim()
}

test('the tutorial of the proxy does what it shows', { skip: skipWithout('curl', 'openssl') }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'synod-tutorial-'))
  try {
    const ports = await freePorts(portsOnPage.length)
    const here = (text: string): string =>
      portsOnPage.reduce((told, port, at) => told.replaceAll(port, String(ports[at])), text)
    const steps = readSteps(readFileSync(page, 'utf8')).map(({ line, commands, shown }) => {
      return { line, commands: here(commands), shown: shown === undefined ? undefined : here(shown) }
    })
    assert.ok(steps.filter(({ shown }) => shown !== undefined).length > 10, 'the page has lost its outputs')
    const { printed, complaints } = await runScript(folder, scriptOf(steps))
    let rest = printed
    for (const { line, shown } of steps) {
      const mark = `== end of ${line}\n`
      const end = rest.indexOf(mark)
      assert.notEqual(end, -1, `the commands of line ${line} failed:\n${rest}${complaints}`)
      const told = rest.slice(0, end)
      rest = rest.slice(end + mark.length)
      if (shown === undefined || isAsShown(normal(told), normal(shown))) continue
      assert.fail(`line ${line} shows\n${shown}\nand this was printed:\n${told}${complaints}`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
