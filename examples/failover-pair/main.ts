/**
 * A failover pair: a primary takes writes, a standby waits. The primary's server dies, its health check notices, the
 * standby is promoted, and clients follow. What the old primary sends late is refused by its fencing token.
 *
 *     node examples/failover-pair/main.ts [connection] [--json]
 *
 * The data here is kept in the engine, behind a fence. In a database of your own, `synod/postgres` guards the same way.
 * Runs on every engine but Redis.
 */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type CoordinationPlane, type FailoverPair, type Primary, SynodError } from '../../src/client/index.ts'
import { cleanUp, connectCoordination, perform, type Stage } from '../example.ts'

await perform({ name: 'failover-pair', connection: 'embedded:', play })

/** A server that writes while it is primary. */
interface Member {
  readonly id: string
  readonly server: Server
  readonly pair: FailoverPair
  /** Of its last promotion. */
  fencingToken: number
}

async function play(stage: Stage) {
  const plane = await connectCoordination(stage)
  const primaries = plane.failoverView('store').watchPrimary()
  const first = await startMember(stage, plane, 'north')
  const before = await nextPrimary(primaries, (primary) => primary?.id === 'north')
  const second = await startMember(stage, plane, 'south')
  stage.say(`clients write to ${before.id} at port ${before.port}`)
  await write(before, 'order-1')

  stage.say('the server of north dies')
  first.server.close()
  first.server.closeAllConnections()
  const after = await nextPrimary(primaries, (primary) => primary?.id === 'south')
  stage.say(`clients write to ${after.id} at port ${after.port}`)
  await write(after, 'order-2')
  stage.check('the standby took over', after.id === 'south' && second.pair.role === 'primary')
  stage.check('with a greater fencing token', after.fencingToken > before.fencingToken)

  stage.say('a write that north had under way arrives late')
  const refusal = await store(plane, 'order-3', first.fencingToken).catch((error: unknown) => error)
  stage.check('it is refused', refusal instanceof SynodError && refusal.code === 'FENCED')
  const stored = []
  for await (const { key } of plane.kv.list({ prefix: 'orders/' })) stored.push(key)
  stage.check('exactly what was acknowledged is stored', stored.join() === 'orders/order-1,orders/order-2')

  await primaries.return?.()
  await Promise.all([first.pair.close(), second.pair.close()])
  second.server.close()
  second.server.closeAllConnections()
  await cleanUp(plane)
  return { before: before.id, after: after.id, tokens: [before.fencingToken, after.fencingToken], stored }
}

async function startMember(stage: Stage, plane: CoordinationPlane, id: string): Promise<Member> {
  let member: Member | undefined
  const server = createServer(async (request, response) => {
    try {
      await store(plane, request.url!.slice(1), member!.fencingToken)
      response.writeHead(201).end()
    } catch {
      // Not the primary any more: the client looks again who is.
      response.writeHead(409).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const pair = plane.failover('store', {
    instance: {
      id,
      address: '127.0.0.1',
      port,
      health: { type: 'tcp', intervalMs: 100, unhealthyAfter: 2 },
    },
    onPromote(fencingToken) {
      member!.fencingToken = fencingToken
      stage.say(`${id} is promoted, with token ${fencingToken}`)
    },
    onDemote: () => stage.say(`${id} steps down`),
  })
  member = { id, server, pair, fencingToken: 0 }
  return member
}

/** The fence remembers the highest token it has seen, and writes nothing under a lower one. */
async function store(plane: CoordinationPlane, order: string, fencingToken: number): Promise<void> {
  await plane.fence('store').put(`orders/${order}`, 'paid', fencingToken)
}

async function write({ address, port }: Primary, order: string): Promise<void> {
  const { status } = await fetch(`http://${address}:${port}/${order}`, { method: 'POST' })
  if (status !== 201) throw new Error(`${order} was answered with ${status}`)
}

async function nextPrimary(
  primaries: AsyncIterator<Primary | undefined>,
  isWanted: (primary: Primary | undefined) => boolean,
): Promise<Primary> {
  for (;;) {
    const { value, done } = await primaries.next()
    if (done === true) throw new Error('the watch ended')
    if (value !== undefined && isWanted(value)) return value
  }
}
