// h2spec, the HTTP/2 conformance suite of an outsider, against the client port; each of its cases is a test here.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from './cluster.ts'
import { requirePeer, skipWithout } from './peers.ts'
import { skipWithoutSubject, subjectKind } from './subject.ts'

/** Cases that may fail, by `section: title`, each with the reason. */
const exceptions: Readonly<Record<string, string>> = {}

const skippedBecause = 'h2spec skipped it: the answer had no body, or no stream limit was announced'

interface SpecCase {
  readonly name: string
  readonly failure: string | undefined
}

describe('h2spec', { skip: skipWithoutSubject() || skipWithout('h2spec') }, () => {
  let cluster: Cluster
  let cases: readonly SpecCase[] = []
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, nodes: 1 })
    cases = await runSuite(cluster)
  })
  after(() => cluster?.stop())

  it('ran its whole suite', () => {
    assert.ok(cases.length >= 140, `${cases.length} cases ran`)
  })

  it('every case passes, or is an exception with its reason', async (t) => {
    for (const one of cases) {
      const reason = exceptions[one.name]
      await t.test(one.name, reason === undefined ? {} : { todo: reason }, () => {
        assert.equal(one.failure, undefined)
      })
    }
  })

  it('the server still serves afterwards', () => cluster.ready(2_000))

  it('no exception outlives its reason', () => {
    const passing = new Set(cases.filter((one) => one.failure === undefined).map((one) => one.name))
    assert.deepEqual(
      Object.keys(exceptions).filter((name) => passing.has(name)),
      [],
    )
  })
})

async function runSuite(cluster: Cluster): Promise<SpecCase[]> {
  const report = join(cluster.folder, 'h2spec.xml')
  // The path must answer with a body: the flow-control cases need DATA to withhold.
  const args = [
    '--path',
    '/version',
    '--host',
    '127.0.0.1',
    '--port',
    String(cluster.member(0).clientPort),
    '--junit-report',
    report,
  ]
  const child = spawn(requirePeer('h2spec'), [...args, '--timeout', '2', '--strict'], { stdio: 'ignore' })
  const timer = setTimeout(() => child.kill('SIGKILL'), 120_000)
  await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  clearTimeout(timer)
  return [...parseReport(readFileSync(report, 'utf8'))]
}

/** Reads the JUnit report: `<testcase package classname time>`, with a child when it failed or was skipped. */
function* parseReport(xml: string): Generator<SpecCase> {
  for (const [, attributes, self, body] of xml.matchAll(/<testcase ([^>]*?)(?:(\/)>|>([\s\S]*?)<\/testcase>)/g)) {
    const attribute = (name: string) => unescapeXml(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes!)?.[1] ?? '')
    const text = self === undefined ? (body ?? '') : ''
    const failure = /<(failure|error)[^>]*>([\s\S]*?)<\/\1>/.exec(text)
    yield {
      name: `${attribute('package')}: ${attribute('classname')}`,
      failure: failure !== null ? unescapeXml(failure[2]!.trim()) : /<skipped/.test(text) ? skippedBecause : undefined,
    }
  }
}

function unescapeXml(text: string): string {
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;|&#34;/g, '"')
    .replace(/&#39;|&apos;/g, "'")
    .replace(/&#xA;/g, '\n')
    .replace(/&amp;/g, '&')
}
