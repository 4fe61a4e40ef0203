// `synod member` and `synod status` against a real cluster that grows by a learner.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Cluster, startCluster } from './cluster.ts'
import { addMember, memberCommand, synod } from './faults/member-command.ts'
import { until } from './faults/rpc.ts'
import { skipWithoutSubject, subjectKind } from './subject.ts'

describe('synod member', { skip: skipWithoutSubject(), concurrency: 1 }, () => {
  let cluster: Cluster
  before(async () => {
    cluster = await startCluster({ kind: subjectKind, nodes: 1, spares: 1 })
  })
  after(() => cluster?.stop())

  const fails = async (args: readonly string[], code: number, message: RegExp): Promise<void> => {
    const result = await synod('member', ...args)
    assert.match(result.stderr, message)
    assert.equal(result.code, code, result.stderr)
    assert.equal(result.stdout, '')
  }

  it('checks its arguments before it asks anybody', async () => {
    const nobody = ['--endpoints', '127.0.0.1:1']
    await fails(nobody, 2, /needs an action/)
    await fails(['shuffle', ...nobody], 2, /"shuffle" is not an action/)
    await fails(['add', ...nobody], 2, /needs a NAME/)
    await fails(['add', 'n2', ...nobody], 2, /--peer-urls is missing/)
    await fails(['add', 'n2', '--peer-urls', 'h:1', ...nobody], 2, /"h:1" is not http:\/\/HOST:PORT/)
    await fails(['remove', ...nobody], 2, /needs a member ID or NAME/)
    await fails(['remove', 'a', 'b', ...nobody], 2, /"b" is one argument too many/)
    await fails(['remove', 'a', '--learner', ...nobody], 2, /--learner has no meaning/)
    await fails(['promote', 'a', '--peer-urls', 'http://h:1', ...nobody], 2, /--peer-urls has no meaning/)
    await fails(['list', ...nobody], 1, /no node answers/)
  })

  it('lists, adds, promotes, updates and removes, by name or id', { timeout: 60_000 }, async () => {
    const { endpoints } = cluster
    const at = ['--endpoints', endpoints]
    const spare = cluster.spares[0]!
    const founder = cluster.member(0)
    const [first, ...none] = await memberCommand(endpoints, 'list')
    const id = String(first?.['id'])
    assert.deepEqual(none, [])
    assert.deepEqual(first, {
      id,
      name: 'n1',
      peerUrls: [founder.peerUrl],
      clientUrls: [founder.clientUrl],
      isLearner: false,
    })
    await fails(['remove', 'nobody', ...at], 1, new RegExp(`there is no member nobody. The members are: n1 ${id}`))
    await fails(['remove', 'n1', ...at], 1, /not enough started members. Start the members/)
    await fails(['promote', id, ...at], 1, /can only promote a learner member/)
    await fails(['add', 'n2', '--peer-urls', founder.peerUrl, ...at], 1, /Peer URLs already exists/)

    const initialCluster = await addMember(endpoints, 'n2', spare.peerUrl, '--learner')
    assert.deepEqual(initialCluster.split(',').sort(), [`n1=${founder.peerUrl}`, `n2=${spare.peerUrl}`])
    const table = await synod('member', 'list', ...at)
    assert.match(table.stdout, /unstarted {2}learner {2}http/)
    const unstarted = (await memberCommand(endpoints, 'list')).find((member) => member['name'] === '')
    await fails(['promote', String(unstarted?.['id']), ...at], 1, /in sync with leader. Start it/)

    const another = await addMember(endpoints, 'n3', 'http://127.0.0.1:1')
    assert.deepEqual(
      another.split(',').sort(),
      [`n1=${founder.peerUrl}`, 'n3=http://127.0.0.1:1'],
      'those who can be asked',
    )
    const third = (await memberCommand(endpoints, 'list')).find((member) => String(member['peerUrls']).endsWith(':1'))
    await memberCommand(endpoints, 'remove', String(third?.['id']))

    const newcomer = await cluster.join('n2', initialCluster)
    const roles = async (): Promise<string> => {
      const { stdout } = await synod('status', '--json', '--endpoints', cluster.endpoints)
      const lines = stdout.split('\n').filter((line) => line !== '')
      return lines
        .map((line) => JSON.parse(line))
        .map(({ name, role }) => `${name} ${role}`)
        .join(', ')
    }
    await until('the learner to have published its name', async () => {
      return (await roles()) === 'n1 leader, n2 learner' ? true : undefined
    })
    await fails(['list', '--endpoints', newcomer.endpoint], 1, /not supported for learner/)
    await until('the learner to be promoted', async () => {
      return await memberCommand(endpoints, 'promote', 'n2').catch(() => undefined)
    })
    assert.equal(await roles(), 'n1 leader, n2 follower')
    assert.equal((await memberCommand(newcomer.endpoint, 'list')).length, 2)
    await memberCommand(endpoints, 'update', 'n2', '--peer-urls', `${spare.peerUrl},http://127.0.0.1:1`)
    const moved = (await memberCommand(endpoints, 'list')).find((member) => member['name'] === 'n2')
    assert.deepEqual(moved?.['peerUrls'], ['http://127.0.0.1:1', spare.peerUrl])
    // The first of the URLs leads nowhere: each side tries the next until they have found each other again.
    await until('a write after the move', async () => {
      return (await synod('put', 'moved', '1', ...at)).code === 0 ? true : undefined
    })
    const removed = await synod('member', 'remove', String(moved?.['id']).toUpperCase(), ...at)
    assert.equal(removed.stdout, `removed n2 (${moved?.['id']})\n`)
    assert.equal((await memberCommand(endpoints, 'list')).length, 1)
    assert.equal(await synod('put', 'a', '1', ...at).then(({ code }) => code), 0)
  })
})
