// Runs differential scripts: every etcdctl command on the subject and on the reference, on clusters with the same
// history, and compares exit code, output and error output after masking.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { after, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../cluster.ts'
import { type MaskContext, mask, withoutOrder } from '../mask.ts'
import { findPeer, type PeerName, requirePeer, skipWithout } from '../peers.ts'
import { onBoth, Pair, type Sides, skipWithoutPair, subjectKind } from '../subject.ts'
import { type Finish, type Run, type Script, type ScriptGroup, type Start, splitCommandLine } from './script.ts'

/** Declares the tests of a group of scripts, each with every etcdctl release. */
export function declareScripts(group: ScriptGroup, clients: readonly PeerName[] = ['etcdctl36', 'etcdctl34']): void {
  for (const client of clients) {
    const skip = skipWithoutPair() || skipWithout(client)
    describe(`${group.name}, ${client} ${findPeer(client)?.version ?? ''}`, { skip, concurrency: 1 }, () => {
      const pair = new Pair({
        ...(group.nodes === undefined ? {} : { nodes: group.nodes }),
        ...(group.flags === undefined ? {} : { flags: group.flags }),
        ...(group.spares === undefined ? {} : { spares: group.spares }),
      })
      let contexts: Sides<Side> | undefined
      after(() => pair.recycle())
      for (const [at, script] of group.scripts.entries()) {
        const known = script.differs?.[subjectKind]
        it(script.name, known === undefined ? {} : { todo: known }, async () => {
          try {
            contexts ??= await onBoth(await pair.sides(), (cluster) => Side.of(cluster, client))
            await runScript(contexts, script, at)
            if (group.fresh !== true) return
            contexts = undefined
            await pair.recycle()
          } catch (error) {
            contexts = undefined
            await pair.recycle()
            throw error
          }
        })
      }
    })
  }
}

interface Outcome {
  readonly exit: string
  readonly stdout: string
  readonly stderr: string
}

/** One side of a comparison: a cluster, the client that talks to it, and what to mask of it. */
class Side implements MaskContext {
  readonly exact = new Map<string, string>()
  readonly captured = new Map<string, string>()
  readonly started = new Map<string, { readonly background: Background; readonly step: Start }>()
  readonly cluster: Cluster
  readonly #client: string
  /** The ids of the founders, and the addresses of all. */
  readonly #names = new Map<string, string>()
  #turn = 0

  private constructor(cluster: Cluster, client: PeerName) {
    this.cluster = cluster
    this.#client = requirePeer(client)
    for (const member of [...cluster.members, ...cluster.spares]) {
      this.exact.set(new URL(member.clientUrl).host, `<client ${member.name}>`)
      this.exact.set(new URL(member.peerUrl).host, `<peer ${member.name}>`)
    }
  }

  static async of(cluster: Cluster, client: PeerName): Promise<Side> {
    const side = new Side(cluster, client)
    const { stdout } = await side.execute(['member', 'list', '-w', 'json'], cluster.endpoints)
    const clusterId = /"cluster_id":(\d+)/.exec(stdout)?.[1]
    if (clusterId !== undefined) side.hide(clusterId, '<cluster>')
    for (const [, id, name] of stdout.matchAll(/"ID":(\d+),"name":"([^"]+)"/g)) {
      side.hide(id!, `<member ${name}>`)
      side.#names.set(`ID_${name}`, BigInt(id!).toString(16))
    }
    for (const { name, peerUrl } of [...cluster.members, ...cluster.spares]) side.#names.set(`PEER_${name}`, peerUrl)
    return side
  }

  /** Masks an id in its decimal and hexadecimal forms. */
  hide(decimal: string, label: string): void {
    this.exact.set(decimal, label)
    this.exact.set(BigInt(decimal).toString(16), label)
  }

  capture(name: string, value: string): void {
    this.captured.set(name, value)
    this.exact.set(value, `<${name}>`)
    if (/^[0-9a-f]{12,16}$/.test(value)) this.exact.set(BigInt(`0x${value}`).toString(), `<${name}>`)
  }

  fill(text: string, startRevision: number): string {
    return text
      .replace(/\{rev(?:\+(\d+))?\}/g, (_, plus) => String(startRevision + Number(plus ?? 0)))
      .replace(/\{rev-(\d+)\}/g, (_, minus) => String(startRevision - Number(minus)))
      .replace(/\{endpoints\}/g, this.cluster.endpoints)
      .replace(
        /\{([A-Z]\w*)\}/g,
        (_, name) => this.captured.get(name) ?? this.#names.get(name) ?? `no ${name} was captured`,
      )
  }

  endpointsFor(step: Run, script: Script, scriptAt: number): string {
    if (step.everyMember) return this.cluster.endpoints
    if (step.member !== undefined) return this.cluster.member(step.member).endpoint
    return this.cluster.member(script.rotate ? this.#turn++ : scriptAt).endpoint
  }

  spawn(args: readonly string[], endpoints: string, stdin: string | undefined): Background {
    return new Background(
      spawn(this.#client, [`--endpoints=${endpoints}`, ...args], { env: { PATH: process.env['PATH'] } }),
      stdin,
    )
  }

  async execute(args: readonly string[], endpoints: string, stdin?: string): Promise<Outcome> {
    return this.spawn(args, endpoints, stdin ?? '').ended(30_000)
  }

  async join(name: string): Promise<void> {
    const initialCluster = this.captured.get('INITIAL')
    if (initialCluster === undefined) throw new Error('no INITIAL was captured')
    await this.cluster.join(name, initialCluster)
  }

  /** Waits until the member's process has ended by itself. */
  async left(name: string): Promise<void> {
    const member = this.cluster.named(name)
    const waited = await Promise.race([member.exited(), delay(10_000, 'still running' as const)])
    assert.notEqual(waited, 'still running', `${name} of ${this.cluster.kind} ends`)
  }

  masked(outcome: Outcome, step: Run): Outcome {
    const clean = (text: string) => {
      const masked = mask(text, this, step.mask)
      return step.unordered ? withoutOrder(masked) : masked
    }
    return { exit: outcome.exit, stdout: clean(outcome.stdout), stderr: clean(outcome.stderr) }
  }
}

/** A client process. */
class Background {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  #stdout = ''
  #stderr = ''

  constructor(child: ChildProcess, stdin: string | undefined) {
    this.#child = child
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (this.#stdout += chunk))
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (this.#stderr += chunk))
    child.stdin!.on('error', () => {})
    // A started command keeps its input open: some read it for as long as they run.
    if (stdin !== undefined) child.stdin!.end(stdin)
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => resolve(signal ?? String(code)))
    })
    this.#ended.catch(() => {})
  }

  write(text: string): void {
    this.#child.stdin!.write(text)
  }

  /** Waits for lines; returns when they are there, or after `timeoutMs` with what there is, for the comparison to show. */
  async lines(count: number, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (lineCount(this.#stdout) < count && Date.now() < deadline && this.#child.exitCode === null) {
      await delay(10)
    }
  }

  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  async ended(timeoutMs: number): Promise<Outcome> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs)
    const exit = await this.#ended
    clearTimeout(timer)
    return { exit, stdout: this.#stdout, stderr: this.#stderr }
  }
}

function lineCount(text: string): number {
  return text.split('\n').length - 1
}

async function runScript(sides: Sides<Side>, script: Script, scriptAt: number): Promise<void> {
  const startRevision = await emptyKeySpace(sides)
  for (const side of [sides.subject, sides.reference]) {
    side.captured.clear()
    side.started.clear()
  }
  try {
    for (const step of script.steps) {
      if (typeof step === 'string') await compareRun(sides, { run: step }, script, scriptAt, startRevision)
      else if ('pauseMs' in step) await delay(step.pauseMs)
      else if ('finish' in step) await compareFinish(sides, step)
      else if ('join' in step) await onBoth(sides, (side) => side.join(step.join))
      else if ('crash' in step) await onBoth(sides, (side) => side.cluster.named(step.crash).crash())
      else if ('leaves' in step) await onBoth(sides, (side) => side.left(step.leaves))
      else if ('start' in step) await startBoth(sides, step, script, scriptAt, startRevision)
      else await compareRun(sides, step, script, scriptAt, startRevision)
    }
  } finally {
    for (const side of [sides.subject, sides.reference])
      for (const left of side.started.values()) left.background.interrupt()
  }
}

/** Deletes every key and returns the revision, which must be the same on both sides. */
async function emptyKeySpace(sides: Sides<Side>): Promise<number> {
  const revisions = await onBoth(sides, async (side) => {
    const emptied = await side.execute(['del', '', '--from-key'], side.cluster.endpoints)
    assert.equal(emptied.exit, '0', emptied.stderr)
    const { stdout, stderr } = await side.execute(['get', 'nothing', '-w', 'json'], side.cluster.endpoints)
    return /"revision":(\d+)/.exec(stdout)?.[1] ?? `no revision: ${stdout}${stderr}`
  })
  assert.equal(revisions.subject, revisions.reference, 'the revision at the start of the script')
  return Number(revisions.reference)
}

async function startBoth(sides: Sides<Side>, step: Start, script: Script, at: number, rev: number): Promise<void> {
  await onBoth(sides, async (side) => {
    const background = side.spawn(
      splitCommandLine(side.fill(step.run, rev)),
      side.endpointsFor(step, script, at),
      undefined,
    )
    if (step.stdin !== undefined) background.write(side.fill(step.stdin, rev))
    side.started.set(step.start, { background, step })
    if (step.lines !== undefined) await background.lines(step.lines, 5_000)
  })
}

async function compareFinish(sides: Sides<Side>, finish: Finish): Promise<void> {
  const start = sides.reference.started.get(finish.finish)!.step
  const outcomes = await onBoth(sides, async (side) => {
    const { background, step } = side.started.get(finish.finish)!
    await background.lines(finish.lines, 5_000)
    // What should not come has this long to come all the same.
    if (!finish.ends) {
      await delay(150)
      background.interrupt()
    }
    const outcome = await background.ended(5_000)
    side.started.delete(finish.finish)
    if (start.uncompared) return lineCount(outcome.stdout) >= finish.lines
    if (side === sides.reference) assert.equal(lineCount(outcome.stdout), finish.lines, `lines of ${finish.finish}`)
    return side.masked(outcome, step)
  })
  assert.deepEqual(outcomes.subject, outcomes.reference, `the command started as ${finish.finish}`)
}

async function compareRun(sides: Sides<Side>, step: Run, script: Script, at: number, rev: number): Promise<void> {
  const outcomes = await onBoth(sides, async (side) => {
    const endpoints = side.endpointsFor(step, script, at)
    const once = () =>
      side.execute(splitCommandLine(side.fill(step.run, rev)), endpoints, side.fill(step.stdin ?? '', rev))
    const deadline = Date.now() + 10_000
    let outcome = await once()
    while (step.untilOk && outcome.exit !== '0' && Date.now() < deadline) {
      await delay(100)
      outcome = await once()
    }
    for (const [name, pattern] of Object.entries(step.capture ?? {})) {
      const value = pattern.exec(outcome.stdout)?.[1]
      if (value !== undefined) side.capture(name, value)
    }
    return side.masked(outcome, step)
  })
  if (process.env['SYNOD_SHOW'] !== undefined) console.error(`$ etcdctl ${step.run}\n`, outcomes.reference)
  assert.deepEqual(outcomes.subject, outcomes.reference, `etcdctl ${step.run}`)
}
