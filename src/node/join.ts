/** Joining a running cluster: asks its members who they are and who this node is among them. */
import type { Member } from '../engine/coordination/index.ts'
import { askToJoin } from '../engine/transport/index.ts'
import type { Address, Runtime } from '../runtime/index.ts'
import { addressOf, type NodeConfig } from './config/index.ts'
import { DataDirectoryError } from './data-directory-error.ts'
import type { Founding } from './identity.ts'
import { type ClusterDescription, decodeClusterDescription } from './join-codec.ts'

/** How long one member may take to answer, in milliseconds. */
const answerTimeoutMs = 2000
/** How long all of them are asked again: a member may be behind, and not know of the addition yet. */
const joinTimeoutMs = 10_000
const askAgainMs = 250

/** What is known of one that was asked. */
interface Told {
  readonly from: string
  readonly cluster: ClusterDescription | undefined
  /** Why there is no answer. */
  readonly reason: string
}

/** Finds this member among those of the cluster. Rejects with a {@link DataDirectoryError} that says what to do. */
export async function joinCluster(runtime: Runtime, config: NodeConfig): Promise<Founding> {
  const asked = config.members
    .filter((member) => member.name !== config.name)
    .flatMap((member) => member.peerUrls.map((url) => ({ from: url.text, address: addressOf(url) })))
  if (asked.length === 0)
    throw new DataDirectoryError(
      `--initial-cluster-state is "existing", but --initial-cluster names no other member to join. Name at least one that runs; to found a cluster of one, say --initial-cluster-state new.`,
    )
  const deadlineMs = runtime.clock.monotonicMs() + joinTimeoutMs
  for (;;) {
    const told = await Promise.all(asked.map(({ from, address }) => askOne(runtime, from, address)))
    const identity = readAnswers(config, told)
    if ('clusterId' in identity) return identity
    if (runtime.clock.monotonicMs() >= deadlineMs) throw new DataDirectoryError(identity.problem)
    await pause(runtime, askAgainMs)
  }
}

async function askOne(runtime: Runtime, from: string, address: Address): Promise<Told> {
  const answer = await askToJoin(runtime, address, answerTimeoutMs)
  if (!answer.ok) return { from, cluster: undefined, reason: answer.reason }
  const cluster = decodeClusterDescription(answer.body)
  return { from, cluster, reason: cluster === undefined ? 'its answer makes no sense' : '' }
}

/** The identity, or what is wrong; throws what asking again cannot mend. */
function readAnswers(config: NodeConfig, told: readonly Told[]): Founding | { readonly problem: string } {
  const answers = told.flatMap(({ from, cluster }) => (cluster === undefined ? [] : [{ from, cluster }]))
  const [first] = answers
  if (first === undefined)
    return {
      problem: `no member of --initial-cluster answers (${told.map(({ from, reason }) => `${from}: ${reason}`).join('; ')}). Start this node when at least one of them runs, or fix --initial-cluster.`,
    }
  const stranger = answers.find(({ cluster }) => cluster.clusterId !== first.cluster.clusterId)
  if (stranger !== undefined)
    throw new DataDirectoryError(
      `--initial-cluster names members of different clusters: ${first.from} belongs to ${first.cluster.clusterId.toString(16)}, ${stranger.from} to ${stranger.cluster.clusterId.toString(16)}.`,
    )
  const own = config.members.find((member) => member.name === config.name)?.peerUrls.map((url) => url.text) ?? []
  const found = answers.flatMap(({ cluster }) => {
    const member = cluster.members.find(({ peerUrls }) => peerUrls.some((url) => own.includes(url)))
    return member === undefined ? [] : [{ cluster, member }]
  })
  // Some who answer may be behind: they name a predecessor by the same URL, or do not know yet that it has run.
  const ran = new Set(found.filter(({ member }) => member.name !== '').map(({ member }) => member.id))
  const fresh = found.filter(({ member }) => !ran.has(member.id))
  const [chosen] = fresh
  if (chosen === undefined)
    return {
      problem: found.length > 0 ? hasRun(found[0]!.member, config, own) : unknownHere(first.cluster, own, config),
    }
  const { cluster, member } = chosen
  if (fresh.some((other) => other.member.id !== member.id))
    return {
      problem: `the members of cluster ${cluster.clusterId.toString(16)} do not agree which one ${own.join(',')} is (${[...new Set(fresh.map((each) => each.member.id.toString(16)))].join(', ')}): some of them are behind. Try again when they have caught up.`,
    }
  if (config.consensusGiven && cluster.algorithm !== config.consensus)
    throw new DataDirectoryError(
      `the cluster runs ${cluster.algorithm}, and --consensus says ${config.consensus}: say --consensus ${cluster.algorithm}.`,
    )
  const { clusterId, algorithm, founders, members } = cluster
  const peers = members.filter(({ id }) => id !== member.id).map(({ id, peerUrls }) => ({ id, peerUrls }))
  return {
    clusterId,
    memberId: member.id,
    name: config.name,
    algorithm,
    founders,
    origin: 'joined',
    foundedAs: undefined,
    peers,
  }
}

function hasRun({ id, name }: Member, config: NodeConfig, own: readonly string[]): string {
  return `member ${name} (${id.toString(16)}) of the cluster has run with another data directory: what it had promised is lost with that. Give it its old directory back; or remove it and add it again: synod member remove ${id.toString(16)}, then synod member add ${config.name} --peer-urls ${own.join(',')}.`
}

function unknownHere(cluster: ClusterDescription, own: readonly string[], config: NodeConfig): string {
  const members = cluster.members.map(({ name, peerUrls }) => `${name || '(not started)'}=${peerUrls.join(',')}`)
  return `none of the members of cluster ${cluster.clusterId.toString(16)} has the peer URL ${own.join(' or ')} (its members: ${members.join(' ')}). Add this one first (synod member add ${config.name} --peer-urls ${own.join(',')}), or fix --initial-advertise-peer-urls.`
}

function pause({ scheduler }: Runtime, ms: number): Promise<void> {
  return new Promise((resolve) => {
    scheduler.setTimer(ms, resolve)
  })
}
