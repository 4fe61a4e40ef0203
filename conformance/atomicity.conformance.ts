// What etcd 3.6 does not promise and Synod does, so that no comparison can test it: a transaction that is refused
// writes nothing, on any member. (In etcd 3.6.16 a transaction that writes and then reads at a revision to come, or a
// compacted one, is refused by the member that has the client and applied by the others, which differ ever after.)
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Cluster } from './cluster.ts'
import { startCluster } from './cluster.ts'
import { RecordingClient } from './grpc/client.ts'
import { skipWithoutSubject, subjectKind } from './subject.ts'

const reason = subjectKind === 'synod' ? skipWithoutSubject() : 'etcd itself does not promise it'

describe('a refused transaction writes nothing, on any member', { skip: reason }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind })
  })
  after(() => cluster?.stop())

  for (const at of [0, 1, 2]) {
    it(`sent to member ${at + 1}`, async () => {
      const client = new RecordingClient(cluster.member(at).endpoint)
      try {
        await client.quietly('Put', { key: 'base', value: '1' })
        await client.quietly('Put', { key: 'base', value: '2' })
        const revision = await client.revision()
        await client.quietly('Compact', { revision })
        const write = { request_put: { key: `written/${at}`, value: 'v' } }
        for (const [readAt, message] of [
          [revision + 100, 'etcdserver: mvcc: required revision is a future revision'],
          [revision - 1, 'etcdserver: mvcc: required revision has been compacted'],
        ] as const) {
          const read = { request_range: { key: 'base', revision: readAt } }
          const refusal = await client.quietly('Txn', { success: [write, read] })
          assert.deepEqual(refusal, { code: 'OUT_OF_RANGE', message })
          assert.equal(await client.revision(), revision)
        }
        await expectSame(cluster, `written/${at}`)
      } finally {
        client.close()
      }
    })
  }
})

/** No member has the key, and all agree on the revision. */
async function expectSame(cluster: Cluster, key: string): Promise<void> {
  const answers = await Promise.all(
    cluster.members.map(async (member) => {
      const client = new RecordingClient(member.endpoint)
      try {
        return await client.call('Range', { key })
      } finally {
        client.close()
      }
    }),
  )
  for (const answer of answers) {
    assert.equal(answer['kvs'], undefined)
    assert.deepEqual(answer, answers[0])
  }
}
