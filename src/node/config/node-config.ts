/** From raw settings to a configuration that is right as a whole, or a list of everything that is wrong with it. */
import { type MemberId, noMember } from '../../core/index.ts'
import type { LogLevel } from '../../runtime/index.ts'
import { type CollectedSettings, collectSettings, type SettingSources } from './collect.ts'
import { parseDurationMs } from './duration.ts'
import { clusterIdOf, memberIdOf } from './member-identity.ts'
import { type Setting, type SettingName, settings } from './settings.ts'
import { type HttpUrl, isLoopback, parseUrls } from './urls.ts'

export interface MemberConfig {
  readonly id: MemberId
  readonly name: string
  readonly peerUrls: readonly HttpUrl[]
}

export type AutoCompaction =
  | { readonly mode: 'off' }
  | { readonly mode: 'periodic'; readonly periodMs: number }
  | { readonly mode: 'revision'; readonly retainedRevisions: number }

/** The consensus algorithm of a cluster. */
export type Consensus = 'raft' | 'paxos'

/** A node's settings, checked and complete. `readNodeConfig` makes them. */
export interface NodeConfig {
  readonly name: string
  readonly dataDir: string
  readonly listenClientUrls: readonly HttpUrl[]
  readonly advertiseClientUrls: readonly HttpUrl[]
  readonly listenPeerUrls: readonly HttpUrl[]
  readonly memberId: MemberId
  readonly clusterId: bigint
  readonly clusterToken: string
  /** All members, this one included. */
  readonly members: readonly MemberConfig[]
  readonly clusterState: 'new' | 'existing'
  readonly consensus: Consensus
  /** Whether the settings name it. If not, a node that joins, or has data, goes by its cluster's. */
  readonly consensusGiven: boolean
  /** Linearizable reads by the leader's lease, without a round to the followers: relies on clocks. */
  readonly leaseReads: boolean
  /** Make a new cluster of this member alone, from what it has, before it starts. */
  readonly forceNewCluster: boolean
  readonly heartbeatIntervalMs: number
  readonly electionTimeoutMs: number
  readonly snapshotCount: number
  /** 0 for no quota. */
  readonly quotaBytes: number
  readonly maxRequestBytes: number
  readonly maxTxnOps: number
  readonly maxConcurrentStreams: number
  readonly autoCompaction: AutoCompaction
  readonly logLevel: LogLevel
  readonly logFormat: 'json' | 'console'
  /** Listeners off loopback, allowed by --insecure; each deserves a warning. */
  readonly exposedUrls: readonly HttpUrl[]
}

/** Everything that is wrong with a configuration, in one message. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const list = problems.map((problem) => `  - ${problem}`).join('\n')
    super(`the configuration cannot be used:\n${list}\nSee synod node --help.`)
    this.problems = problems
  }
}

const quotaBytesDefault = 2 * 1024 * 1024 * 1024

/** Throws a {@link ConfigError} that names every problem at once. */
export function readNodeConfig(sources: SettingSources): NodeConfig {
  const collected = collectSettings(sources)
  const problems = [...collected.problems]
  const read = new SettingReader(collected, problems)
  const name = read.text('name')
  if (name === '') problems.push('--name must not be empty')
  const listenClientUrls = read.urls('listen-client-urls')
  const listenPeerUrls = read.urls('listen-peer-urls')
  const advertiseClientUrls = read.isSet('advertise-client-urls')
    ? read.urls('advertise-client-urls')
    : listenClientUrls
  const advertisePeerUrls = read.isSet('initial-advertise-peer-urls')
    ? read.urls('initial-advertise-peer-urls')
    : listenPeerUrls
  const clusterToken = read.text('initial-cluster-token')
  const members = readMembers(read, name, advertisePeerUrls, clusterToken, problems)
  const exposedUrls = [...listenClientUrls, ...listenPeerUrls].filter((url) => !isLoopback(url.host))
  if (exposedUrls.length > 0 && !read.boolean('insecure'))
    problems.push(
      `${exposedUrls.map((url) => url.text).join(', ')} can be reached from other machines, and there is no TLS yet: listen on 127.0.0.1, or say --insecure if the network is trusted`,
    )
  const heartbeatIntervalMs = read.integer('heartbeat-interval')
  const electionTimeoutMs = read.integer('election-timeout')
  if (electionTimeoutMs < 5 * heartbeatIntervalMs)
    problems.push(
      `--election-timeout (${electionTimeoutMs} ms) must be at least five times --heartbeat-interval (${heartbeatIntervalMs} ms)`,
    )
  if (read.boolean('lease-reads') && read.text('consensus') !== 'raft')
    problems.push('--lease-reads works with --consensus raft only: leave it out')
  const quota = read.integer('quota-backend-bytes')
  const config: NodeConfig = {
    name,
    dataDir: read.text('data-dir') || `${name}.synod`,
    listenClientUrls,
    advertiseClientUrls,
    listenPeerUrls,
    memberId: members.find((member) => member.name === name)?.id ?? noMember,
    clusterId: clusterIdOf(members.map((member) => member.id)),
    clusterToken,
    members,
    clusterState: read.text('initial-cluster-state') as 'new' | 'existing',
    consensus: read.text('consensus') as Consensus,
    consensusGiven: read.isSet('consensus'),
    leaseReads: read.boolean('lease-reads'),
    forceNewCluster: read.boolean('force-new-cluster'),
    heartbeatIntervalMs,
    electionTimeoutMs,
    snapshotCount: read.integer('snapshot-count'),
    quotaBytes: quota < 0 ? 0 : quota === 0 ? quotaBytesDefault : quota,
    maxRequestBytes: read.integer('max-request-bytes'),
    maxTxnOps: read.integer('max-txn-ops'),
    maxConcurrentStreams: read.integer('max-concurrent-streams'),
    autoCompaction: readAutoCompaction(read, problems),
    logLevel: read.text('log-level') as LogLevel,
    logFormat: read.text('log-format') as 'json' | 'console',
    exposedUrls,
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function readMembers(
  read: SettingReader,
  name: string,
  advertisePeerUrls: readonly HttpUrl[],
  clusterToken: string,
  problems: string[],
): MemberConfig[] {
  const urlsByName = read.isSet('initial-cluster')
    ? read.cluster('initial-cluster')
    : new Map([[name, [...advertisePeerUrls]]])
  const own = urlsByName.get(name)
  if (own === undefined)
    problems.push(`--initial-cluster does not name this member ("${name}"): add ${name}=URL, or fix --name`)
  else if (sortedTexts(own) !== sortedTexts(advertisePeerUrls))
    problems.push(
      `--initial-cluster says ${name}=${sortedTexts(own)}, but --initial-advertise-peer-urls is ${sortedTexts(advertisePeerUrls)}: they must agree`,
    )
  const seen = new Map<string, string>()
  for (const [member, urls] of urlsByName)
    for (const url of urls) {
      const other = seen.get(url.text)
      if (other !== undefined) problems.push(`--initial-cluster gives ${url.text} to both ${other} and ${member}`)
      seen.set(url.text, member)
    }
  return [...urlsByName].map(([member, peerUrls]) => ({
    id: memberIdOf(
      peerUrls.map((url) => url.text),
      clusterToken,
    ),
    name: member,
    peerUrls,
  }))
}

function readAutoCompaction(read: SettingReader, problems: string[]): AutoCompaction {
  const mode = read.text('auto-compaction-mode')
  const text = read.text('auto-compaction-retention')
  const whole = /^\d+$/.test(text) ? Number(text) : undefined
  if (whole === 0) return { mode: 'off' }
  if (mode === 'revision') {
    if (whole !== undefined) return { mode: 'revision', retainedRevisions: whole }
    problems.push(`--auto-compaction-retention "${text}" must be a whole number of revisions in mode revision`)
    return { mode: 'off' }
  }
  const periodMs = whole !== undefined ? whole * 3_600_000 : parseDurationMs(text)
  if (periodMs !== undefined) return periodMs === 0 ? { mode: 'off' } : { mode: 'periodic', periodMs }
  problems.push(`--auto-compaction-retention "${text}" is not a duration; write 30m, 1h, or a number of hours`)
  return { mode: 'off' }
}

function sortedTexts(urls: readonly HttpUrl[]): string {
  return urls
    .map((url) => url.text)
    .sort()
    .join(',')
}

/** Reads typed values, noting what is wrong. */
class SettingReader {
  private readonly collected: CollectedSettings
  private readonly problems: string[]

  constructor(collected: CollectedSettings, problems: string[]) {
    this.collected = collected
    this.problems = problems
  }

  isSet(name: SettingName): boolean {
    return (this.collected.values.get(name)?.text ?? '') !== ''
  }

  text(name: SettingName): string {
    const setting = this.setting(name)
    const text = this.collected.values.get(name)?.text ?? setting.fallback
    if (setting.choices !== undefined && !setting.choices.includes(text))
      this.problems.push(`${this.source(name)} is "${text}"; it must be one of ${setting.choices.join(', ')}`)
    return text
  }

  integer(name: SettingName): number {
    const setting = this.setting(name)
    const text = this.text(name)
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = setting
    if (value >= min && value <= max) return value
    this.problems.push(`${this.source(name)} is "${text}"; it must be a whole number from ${min} to ${max}`)
    return Number(setting.fallback)
  }

  boolean(name: SettingName): boolean {
    const text = this.text(name)
    if (text !== 'true' && text !== 'false')
      this.problems.push(`${this.source(name)} is "${text}"; it must be true or false`)
    return text === 'true'
  }

  urls(name: SettingName): HttpUrl[] {
    return parseUrls(this.source(name), this.text(name), this.problems)
  }

  cluster(name: SettingName): Map<string, HttpUrl[]> {
    const members = new Map<string, HttpUrl[]>()
    for (const part of this.text(name).split(',')) {
      const match = /^\s*([^=]+)=(.+)$/.exec(part)
      if (match === null) {
        this.problems.push(`${this.source(name)}: "${part}" is not NAME=URL`)
        continue
      }
      const member = match[1]!.trim()
      const urls = members.get(member) ?? []
      urls.push(...parseUrls(`${this.source(name)}, ${member}`, match[2]!, this.problems))
      members.set(member, urls)
    }
    return members
  }

  private source(name: SettingName): string {
    return this.collected.values.get(name)?.source ?? `--${name}`
  }

  private setting(name: SettingName): Setting {
    return settings.find((setting) => setting.flag === name)!
  }
}
