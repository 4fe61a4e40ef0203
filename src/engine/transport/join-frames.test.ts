import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createSimulation, type Simulation } from '../../runtime/simulation/index.ts'
import { encodeHello, helloBytes } from './frames.ts'
import {
  encodeIntroduction,
  encodeJoinAnswer,
  encodeJoinQuestion,
  isIntroduction,
  joinAnswerBytesMax,
  readIntroduction,
  readJoinAnswer,
  readJoinQuestion,
} from './join-frames.ts'
import { askToJoin } from './join-question.ts'
import { PeerTransport } from './peer-transport.ts'

describe('the question and the answer of a node that joins', () => {
  test('a question is as long as a hello and taken for none; any flipped bit is noticed', () => {
    const question = encodeJoinQuestion()
    assert.equal(question.length, helloBytes)
    assert.equal(readJoinQuestion(question), 'question')
    assert.equal(readJoinQuestion(encodeHello({ clusterId: 1n, from: 2n, to: 3n, incarnation: 4n })), 'other')
    for (let bit = 0; bit < question.length * 8; bit++) {
      const damaged = Buffer.from(question)
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      assert.notEqual(readJoinQuestion(damaged), 'question', `bit ${bit}`)
    }
  })

  test('an answer comes back whole; a part of it asks for more; any flipped bit is noticed', () => {
    const body = Buffer.from('{"a":1}')
    const answer = encodeJoinAnswer(body)
    assert.deepEqual(readJoinAnswer(answer), { body })
    for (let length = 0; length < answer.length; length++)
      assert.equal(readJoinAnswer(answer.subarray(0, length)), 'more', `${length} bytes`)
    for (let bit = 0; bit < answer.length * 8; bit++) {
      const damaged = Buffer.from(answer)
      damaged[bit >>> 3]! ^= 1 << (bit & 7)
      const read = readJoinAnswer(damaged)
      assert.ok(read === 'more' || 'problem' in read, `bit ${bit}`)
    }
  })

  test('an introduction comes back as an answer does, and neither is taken for the other', () => {
    const body = Buffer.alloc(100, 'x')
    const introduction = encodeIntroduction(body)
    assert.ok(isIntroduction(introduction.subarray(0, helloBytes)))
    assert.ok(!isIntroduction(encodeJoinQuestion()))
    assert.deepEqual(readIntroduction(introduction), { body })
    assert.equal(readIntroduction(introduction.subarray(0, 50)), 'more')
    assert.ok('problem' in (readJoinAnswer(introduction) as object))
    assert.ok('problem' in (readIntroduction(encodeJoinAnswer(body)) as object))
  })

  test('an answer beyond the bound is refused before it has come', () => {
    const head = Buffer.from(encodeJoinAnswer(Buffer.alloc(0)))
    head.writeUInt32LE(joinAnswerBytesMax + 1, 8)
    assert.ok('problem' in (readJoinAnswer(head) as object))
  })

  test('arbitrary bytes never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        readJoinAnswer(bytes)
        readIntroduction(bytes)
        if (bytes.length >= helloBytes) readJoinQuestion(bytes)
      }),
      { seed: 7, numRuns: 500 },
    )
  })
})

describe('asking over a network', () => {
  const address = { host: 'a', port: 2380 }

  async function world(answer: Uint8Array | undefined) {
    const simulation = createSimulation({ seed: 'joining' })
    simulation.createNode('a')
    simulation.createNode('b')
    const transport = await simulation.runUntilDone(
      PeerTransport.open(simulation.node('a').runtime, {
        clusterId: 1n,
        self: 2n,
        incarnation: 3n,
        listen: [address],
        peers: new Map(),
        onMessage: () => assert.fail('a question is no message'),
        onPeerLost() {},
        recognises: () => true,
        onRefused() {},
        isRemoved: () => false,
        introduction: () => answer,
        onIntroduction() {},
      }),
    )
    return { simulation, transport }
  }

  function ask(simulation: Simulation) {
    return simulation.runUntilDone(askToJoin(simulation.node('b').runtime, address, 2000))
  }

  test('a member answers', async () => {
    const body = Buffer.alloc(200_000, 'x')
    const { simulation } = await world(body)
    assert.deepEqual(await ask(simulation), { ok: true, body })
  })

  test('one that cannot tell yet says so, and one that is not there is told from it', async () => {
    const { simulation, transport } = await world(undefined)
    const refused = await ask(simulation)
    assert.ok(!refused.ok && /cannot tell yet/.test(refused.reason), JSON.stringify(refused))
    await simulation.runUntilDone(transport.close())
    const gone = await ask(simulation)
    assert.ok(!gone.ok && /the connection ended/.test(gone.reason), JSON.stringify(gone))
  })

  test('one that never answers is given up', async () => {
    const { simulation, transport } = await world(undefined)
    await simulation.runUntilDone(transport.close())
    await simulation.runUntilDone(
      simulation
        .node('a')
        .runtime.network.listen(address, (connection) => connection.setHandler({ onData() {}, onClose() {} })),
    )
    const silent = await ask(simulation)
    assert.ok(!silent.ok && /does not answer/.test(silent.reason), JSON.stringify(silent))
  })
})
