// Which server the conformance tests judge, and which one they judge it by.
//   SYNOD_CONFORMANCE_SUBJECT    synod (default), etcd36 or etcd34: the last two try the tests themselves
//   SYNOD_CONFORMANCE_REFERENCE  etcd36 (default) or etcd34
//   SYNOD_CONFORMANCE_CONSENSUS  raft (default) or paxos: what every Synod member runs (read in cluster.ts)
import { type Cluster, type ClusterOptions, type ServerKind, skipWithoutServer, startCluster } from './cluster.ts'

const kinds: readonly ServerKind[] = ['synod', 'etcd36', 'etcd34']

function kindFrom(variable: string, fallback: ServerKind): ServerKind {
  const value = process.env[variable] ?? fallback
  const kind = kinds.find((candidate) => candidate === value)
  if (kind === undefined) throw new Error(`${variable}=${value}: say one of ${kinds.join(', ')}`)
  return kind
}

export const subjectKind = kindFrom('SYNOD_CONFORMANCE_SUBJECT', 'synod')
export const referenceKind = kindFrom('SYNOD_CONFORMANCE_REFERENCE', 'etcd36')

/** node:test's `skip` for a test that needs only the subject. */
export function skipWithoutSubject(): string | false {
  return skipWithoutServer(subjectKind)
}

/** node:test's `skip` for a test that compares the subject with the reference. */
export function skipWithoutPair(): string | false {
  return skipWithoutServer(subjectKind) || skipWithoutServer(referenceKind)
}

/** One value for each side. */
export interface Sides<T> {
  readonly subject: T
  readonly reference: T
}

/** Does the same on both sides at once, and waits for both also when one fails. */
export async function onBoth<A, B>(sides: Sides<A>, act: (side: A) => Promise<B>): Promise<Sides<B>> {
  const [subject, reference] = await Promise.allSettled([act(sides.subject), act(sides.reference)])
  if (subject.status === 'rejected') throw subject.reason
  if (reference.status === 'rejected') throw reference.reason
  return { subject: subject.value, reference: reference.value }
}

/**
 * A subject and a reference cluster that have seen the same requests, so that even revisions must agree. After a
 * difference they no longer have: `recycle()` makes the next test start on fresh ones.
 */
export class Pair {
  readonly #options: Omit<ClusterOptions, 'kind'>
  readonly #running = new Set<Cluster>()
  #sides: Sides<Cluster> | undefined

  constructor(options: Omit<ClusterOptions, 'kind'> = {}) {
    this.#options = options
  }

  async sides(): Promise<Sides<Cluster>> {
    this.#sides ??= await onBoth({ subject: subjectKind, reference: referenceKind }, async (kind) => {
      const cluster = await startCluster({ ...this.#options, kind })
      this.#running.add(cluster)
      return cluster
    })
    return this.#sides
  }

  async recycle(): Promise<void> {
    this.#sides = undefined
    const running = [...this.#running]
    this.#running.clear()
    await Promise.all(running.map((cluster) => cluster.stop()))
  }
}
