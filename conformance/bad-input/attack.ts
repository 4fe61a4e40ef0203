// Runs an attack on one member of a real cluster while a well-behaved client in another process goes on working, and
// judges the member: its memory, the client's service, and that it is the same process afterwards.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Member } from '../member.ts'
import type { Service } from './good-client.ts'

/**
 * What a node's resident memory may reach, attack upon attack: 512 MiB that it may hold for its peers, as much again of
 * garbage that V8 has not collected yet, 200 MiB of a fresh node with its data, and what the allocator does not give
 * back. 1730 MiB is the most that was seen.
 */
const residentPeakMiBMax = 2048
/** The slowest pair of a put and a read that the well-behaved client may see, on a busy machine of two cores. */
const slowestMsMax = 3_000

export interface AttackOptions {
  /** Where the well-behaved client works. Default: the member attacked. */
  readonly witness?: Member
  readonly slowestMsMax?: number
  /** How far the memory may grow over what it was. */
  readonly growthMiBMax?: number
  /** A request under way when the leader dies has an unknown fate, and its client is told so. */
  readonly leaderMayDie?: boolean
}

const unknownFate = /^grpc-status 14 etcdserver: (leader changed|request timed out)/

export async function underAttack(
  t: TestContext,
  member: Member,
  attack: (port: number) => Promise<void>,
  options: AttackOptions = {},
): Promise<void> {
  const { pid } = member
  const client = startGoodClient(options.witness ?? member)
  const before = residentMiB(pid)
  forgetPeak(pid)
  try {
    await attack(member.clientPort)
  } catch (error) {
    await client.stop()
    throw error
  }
  await client.settled()
  assert.ok(member.running && member.pid === pid, `the node died:\n${member.log().slice(-2_000)}`)
  const service = await client.stop()
  const peak = peakMiB(pid)
  t.diagnostic(
    `memory ${before} MiB before, ${peak ?? '?'} at the peak, ${residentMiB(pid)} after; ` +
      `client served ${service.served} times, slowest ${service.slowestMs} ms`,
  )
  const failures = service.failures.filter((text) => options.leaderMayDie !== true || !unknownFate.test(text))
  assert.deepEqual(failures, [])
  assert.ok(service.served >= 3, `the well-behaved client was served ${service.served} times`)
  assert.ok(service.slowestMs <= (options.slowestMsMax ?? slowestMsMax), `it waited ${service.slowestMs} ms`)
  if (peak === undefined || before === undefined) return
  assert.ok(peak <= residentPeakMiBMax, `${peak} MiB at the peak`)
  const { growthMiBMax } = options
  if (growthMiBMax !== undefined) assert.ok(peak - before <= growthMiBMax, `grew by ${peak - before} MiB`)
}

function startGoodClient(member: Member) {
  const file = fileURLToPath(new URL('good-client.ts', import.meta.url))
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, member.clientUrl], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return {
    /** Long enough that the client is served after the attack too, however short it was. */
    settled: () => new Promise<void>((resolve) => setTimeout(resolve, 500)),
    async stop(): Promise<Service> {
      child.stdin.end()
      await exited
      return JSON.parse(output) as Service
    },
  }
}

function statusMiB(pid: number, field: string): number | undefined {
  if (process.platform !== 'linux') return undefined
  const line = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return line === null ? undefined : Math.round(Number(line[1]) / 1024)
}

export function residentMiB(pid: number): number | undefined {
  return statusMiB(pid, 'VmRSS')
}

function peakMiB(pid: number): number | undefined {
  return statusMiB(pid, 'VmHWM')
}

/** Linux: writing 5 resets the peak of the resident memory. */
function forgetPeak(pid: number): void {
  if (process.platform === 'linux') writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
