import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Prng, utf8Bytes } from '../../../base/index.ts'
import { errorCodes, frame } from '../../../wire/zookeeper/index.ts'
import { SynodError } from '../../errors.ts'
import { reply, type Script, type ScriptedServerOptions, ScriptedWorld } from './testing/scripted-server.ts'

const put = { compares: [], success: [{ type: 'put', key: 'a', value: utf8Bytes('1') }] } as const

function start(options: ScriptedServerOptions = {}, seed = 'bad-server'): Promise<ScriptedWorld> {
  return ScriptedWorld.start(options, seed)
}

describe('a driver and a server that is not as it should be', () => {
  it('one that never answers: UNAVAILABLE, by the deadline', async () => {
    const world = await start({ greet() {} })
    const beforeMs = world.client.clock.monotonicMs()
    await assert.rejects(world.open({ requestTimeoutMs: 4_000 }), { code: 'UNAVAILABLE', outcome: 'not-applied' })
    const tookMs = world.client.clock.monotonicMs() - beforeMs
    assert.ok(tookMs >= 4_000 && tookMs < 5_000, String(tookMs))
  })

  it('one that hangs up at once is tried again, with pauses', async () => {
    let hangUps = 0
    const world = await start({
      greet(connection) {
        hangUps++
        connection.destroy()
      },
    })
    await assert.rejects(world.open({ requestTimeoutMs: 20_000 }), { code: 'UNAVAILABLE' })
    assert.ok(hangUps > 5 && hangUps < 60, String(hangUps))
  })

  it('one that hangs up whenever it is asked is not asked as fast as it can', async () => {
    const world = await start()
    const driver = await world.open()
    world.options = {
      script(_, connection) {
        connection.destroy()
        return 'done'
      },
    }
    await assert.rejects(world.run(driver.get('a')), { code: 'TIMEOUT', outcome: 'not-applied' })
    assert.ok(world.greetings < 400, String(world.greetings))
    await world.run(driver.close())
  })

  it('one that refuses the user: UNAUTHENTICATED', async () => {
    const script: Script = (request, connection) => {
      if (request.op !== 'auth') return undefined
      reply(connection, request, errorCodes.authFailed)
      return 'done'
    }
    const world = await start({ script })
    await assert.rejects(world.open({ auth: { scheme: 'digest', user: 'ann', password: 'x' } }), {
      code: 'UNAUTHENTICATED',
    })
  })

  it('one that answers with something else: PROTOCOL_ERROR', async () => {
    const world = await start()
    const driver = await world.open()
    world.options = {
      script(request, connection) {
        if (request.op !== 'getData') return undefined
        connection.write(
          frame((writer) => {
            writer.int(request.xid)
            writer.long(9n)
            writer.int(0)
            writer.int(77)
          }),
        )
        return 'done'
      },
    }
    await assert.rejects(world.run(driver.get('a')), { code: 'PROTOCOL_ERROR', outcome: 'not-applied' })
  })

  it('an ensemble beyond 2^53 is refused, with what to do', async () => {
    const world = await start()
    const driver = await world.open()
    world.options = {
      script(request, connection) {
        if (request.op !== 'getData') return undefined
        reply(connection, request, errorCodes.noNode, undefined, 1n << 53n)
        return 'done'
      },
    }
    await assert.rejects(world.run(driver.get('a')), { code: 'NOT_SUPPORTED', message: /0x20000000000000/ })
  })

  it('a write that is answered with "no answer in time" is unknown', async () => {
    for (const err of [errorCodes.operationTimeout, errorCodes.requestTimeout, errorCodes.connectionLoss]) {
      const world = await start({
        script(request, connection) {
          if (request.op !== 'multi') return undefined
          reply(connection, request, err)
          return 'done'
        },
      })
      const driver = await world.open()
      await assert.rejects(world.run(driver.transact(put)), { code: 'UNAVAILABLE', outcome: 'unknown' })
    }
  })

  it('a write refused because the session is over is made again on a new one', async () => {
    let multis = 0
    const world = await start({
      script(request, connection) {
        if (request.op !== 'multi') return undefined
        multis++
        if (multis === 1) reply(connection, request, errorCodes.sessionExpired)
        else reply(connection, request, 0, [setDataDone, createDone], 9n)
        return 'done'
      },
    })
    const driver = await world.open()
    const { revision } = await world.run(driver.transact(put))
    assert.deepEqual([revision, multis, world.greetings], [9, 2, 2])
  })

  it('one that has not applied yet what was acknowledged elsewhere is asked again', async () => {
    const noted = [9n, 8n, 8n, 9n]
    const asked: string[] = []
    const world = await start({
      script(request, connection) {
        if (request.op === 'multi') reply(connection, request, 0, [setDataDone, createDone], 9n)
        else if (request.op === 'getData' && asked.length > 0)
          reply(connection, request, errorCodes.noNode, undefined, noted.shift())
        else return undefined
        asked.push(request.op)
        return 'done'
      },
    })
    const driver = await world.open()
    asked.push('opened')
    assert.equal((await world.run(driver.transact(put))).revision, 9)
    asked.length = 0
    asked.push('written')
    assert.equal((await world.run(driver.get('a'))).revision, 9)
    assert.deepEqual(asked, ['written', 'getData', 'getData', 'getData'])
    assert.equal(world.greetings, 1)
    noted.push(3n)
    assert.equal((await world.run(driver.get('a', { stale: true }))).revision, 3)
  })

  it('bytes at random end calls with a SynodError, and nothing else', async () => {
    const random = new Prng('bad-server')
    for (let round = 0; round < 60; round++) {
      const noise = Uint8Array.from({ length: 1 + random.below(60) }, () => random.below(256))
      const world = await start(
        {
          script(request, connection) {
            if (request.op === 'create' || request.op === 'exists') return undefined
            // Behind a length, or not.
            connection.write(round % 2 === 0 ? frame((writer) => writer.raw(noise)) : noise)
            return 'done'
          },
        },
        `noise ${round}`,
      )
      const driver = await world.open()
      for (const call of [driver.get('a'), driver.transact(put), driver.grantLease(1_000)]) {
        const failure = await world.run(
          call.then(
            () => undefined,
            (error: unknown) => error,
          ),
        )
        assert.ok(failure === undefined || failure instanceof SynodError, String(failure))
      }
      await world.run(driver.close())
    }
  })
})

const stat = {
  czxid: 1n,
  mzxid: 9n,
  ctime: 0n,
  mtime: 0n,
  version: 1,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  dataLength: 0,
  numChildren: 0,
  pzxid: 1n,
}
const setDataDone = { op: 'setData', stat }
const createDone = { op: 'create', path: '/synod/a' }
