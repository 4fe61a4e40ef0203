import type { GroupOptions } from '../../../engine/replication/index.ts'
import { type AutoCompaction, clusterIdOf, memberIdOf, type NodeConfig } from '../../../node/config/index.ts'

/**
 * Short enough that leases of one second are granted (the least is one and a half of these), long enough that a program
 * that holds the loop for some tenths of a second does not make its own nodes elect.
 */
const electionTimeoutMs = 600
const heartbeatIntervalMs = 100
const peerPort = 2380
const clusterToken = 'etcd-cluster'
const mebibyte = 1024 * 1024

/** Operations that one transaction may have in a branch, and compares. etcd's default is 128. */
export const operationsMax = 1024

/** History is kept for watches and reads as of a revision, but not for ever: it takes memory. */
export const defaultAutoCompaction: AutoCompaction = { mode: 'revision', retainedRevisions: 100_000 }

export interface EmbeddedNodeSettings {
  /** From 0. */
  readonly index: number
  readonly nodes: number
  readonly dataDir: string
  readonly maxRequestBytes: number
  readonly autoCompaction: AutoCompaction
}

/** The name that the others reach node `index` by, on the network of this process. */
export function hostOf(index: number): string {
  return `node-${index + 1}`
}

/**
 * A member without client ports. The only one of its cluster bears the name and URL that `synod node` gives one by
 * default, so that its directory can be served by that later.
 */
export function nodeConfig({
  index,
  nodes,
  dataDir,
  maxRequestBytes,
  autoCompaction,
}: EmbeddedNodeSettings): NodeConfig {
  const members = Array.from({ length: nodes }, (_, i) => member(i, nodes))
  const own = members[index]!
  return {
    name: own.name,
    dataDir,
    listenClientUrls: [],
    advertiseClientUrls: [],
    listenPeerUrls: nodes === 1 ? [] : own.peerUrls,
    memberId: own.id,
    clusterId: clusterIdOf(members.map(({ id }) => id)),
    clusterToken,
    members,
    clusterState: 'new',
    consensus: 'raft',
    consensusGiven: false,
    leaseReads: false,
    forceNewCluster: false,
    heartbeatIntervalMs,
    electionTimeoutMs,
    snapshotCount: 10_000,
    quotaBytes: 0,
    maxRequestBytes,
    maxTxnOps: operationsMax,
    maxConcurrentStreams: 0,
    autoCompaction,
    logLevel: 'warn',
    logFormat: 'console',
    exposedUrls: [],
  }
}

function member(index: number, nodes: number) {
  const host = nodes === 1 ? '127.0.0.1' : hostOf(index)
  const text = `http://${host}:${peerPort}`
  const peerUrls = [{ text, host, port: peerPort }]
  return { id: memberIdOf([text], clusterToken), name: nodes === 1 ? 'default' : host, peerUrls }
}

/** In memory, the log is worth less than the room it takes. */
export function groupOptions(inMemory: boolean): Partial<GroupOptions> {
  return inMemory ? { snapshotLogBytes: 8 * mebibyte } : {}
}

/** A new segment is filled with zeros before it is used: the smaller the first, the sooner the first write. */
export const walFirstSegmentBytes = mebibyte / 4

export function walSegmentBytes(maxRequestBytes: number): number {
  return Math.max(4 * mebibyte, 2 * maxRequestBytes + mebibyte)
}
