// The form of a raw gRPC comparison, and the test that runs a group of them on both sides.
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Cluster, ServerKind } from '../cluster.ts'
import { onBoth, Pair, skipWithoutPair, subjectKind } from '../subject.ts'
import { RecordingClient } from './client.ts'

export interface Case {
  readonly name: string
  readonly run: (client: RecordingClient, cluster: Cluster) => Promise<void>
  /** Differences that stand, by subject, each with its reason: reported as todo, never as passed. */
  readonly differs?: Partial<Record<ServerKind, string>>
}

/** Declares one test a case; all share one pair of clusters, so that revisions must agree too. */
export function declareCases(name: string, cases: readonly Case[], flags: readonly string[] = []): void {
  describe(name, { skip: skipWithoutPair(), concurrency: 1 }, () => {
    const pair = new Pair({ nodes: 3, flags })
    after(() => pair.recycle())
    for (const [at, one] of cases.entries()) {
      const known = one.differs?.[subjectKind]
      it(one.name, known === undefined ? {} : { todo: known }, async () => {
        try {
          const traces = await onBoth(await pair.sides(), async (cluster) => {
            const client = new RecordingClient(cluster.member(at).endpoint)
            try {
              await client.quietly('DeleteRange', { key: '\0', range_end: '\0' })
              await client.call('Range', { key: '\0', range_end: '\0' })
              await one.run(client, cluster)
              return client.trace
            } finally {
              client.close()
            }
          })
          if (process.env['SYNOD_SHOW'] !== undefined)
            console.error(one.name, JSON.stringify(traces.reference, null, 1))
          assert.deepEqual(traces.subject, traces.reference)
        } catch (error) {
          await pair.recycle()
          throw error
        }
      })
    }
  })
}
