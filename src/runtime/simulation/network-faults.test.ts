import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import type { CloseReason } from '../index.ts'
import { createSimulation } from './index.ts'
import { connectTo } from './test-nodes.ts'

describe('connections', () => {
  it('broken at random lose a suffix of what is in flight, and each end hears at its own time', async () => {
    const lengths = new Set<number>()
    let apart = false
    for (let seed = 0; seed < 30; seed++) {
      const { simulation, connection, received, seen, seenByPeer } = await connectTo(createSimulation({ seed }))
      simulation.setLink('a', 'b', { resetProbability: 0.2, halfOpenProbability: 0, delayMs: [1, 30] })
      const sent = 'abcdefghij'.repeat(20)
      for (let at = 0; at < sent.length; at += 10) connection.write(utf8Bytes(sent.slice(at, at + 10)))
      await simulation.run({ until: () => seen.length + seenByPeer.length > 0, untilMs: 2_000 })
      const firstAtMs = simulation.nowMs
      await simulation.run({ until: () => seen.length + seenByPeer.length > 1, untilMs: 2_000 })
      apart ||= simulation.nowMs > firstAtMs
      assert.equal(sent.startsWith(received()), true, 'bytes are lost from the end only')
      if (simulation.faults['connection-reset'] === 0) continue
      assert.deepEqual([seen, seenByPeer], [['close reset'], ['close reset']])
      lengths.add(received().length % 10)
    }
    assert.ok(apart)
    assert.ok(lengths.size > 3, 'the cut falls inside of writes, too')
  })

  it('broken lose what is in flight from an arbitrary byte on, even towards an end that is not told', async () => {
    const lengths = new Set<number>()
    for (let seed = 0; seed < 30; seed++) {
      const { simulation, connection, received } = await connectTo(createSimulation({ seed }))
      connection.write(utf8Bytes('0123456789'))
      simulation.resetConnections('a', 'b', { untold: 'b' })
      await simulation.run({ untilMs: 1_000 })
      assert.ok('0123456789'.startsWith(received()))
      lengths.add(received().length)
    }
    assert.ok(lengths.has(0) && lengths.has(10) && lengths.size > 5, [...lengths].join())
  })

  it('left half open are told once they send', async () => {
    const { simulation, connection, seen, seenByPeer, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.resetConnections('a', 'b', { untold: 'a' })
    await simulation.run({ untilMs: 60_000 })
    assert.deepEqual([seen, seenByPeer], [[], ['close reset']])
    connection.write(utf8Bytes('anybody?'))
    await simulation.run({ untilMs: 61_000 })
    assert.deepEqual([seen, received()], [['close reset'], ''])
    assert.equal(simulation.faults['connection-half-open'], 1)
  })

  it('broken one by one leave other nodes alone', async () => {
    const { simulation, connection, seen, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.createNode('c')
    simulation.resetConnections('a', 'c')
    connection.write(utf8Bytes('still here'))
    await simulation.run({ untilMs: 1_000 })
    assert.deepEqual([seen, received()], [[], 'still here'])
  })

  it('deliver bytes in pieces that are not the writes: cut, and joined', async () => {
    const { simulation, connection } = await connectTo(createSimulation({ seed: 1 }))
    const b = simulation.node('b').runtime.network
    const pieces: number[] = []
    await simulation.runUntilDone(
      b.listen({ host: 'b', port: 10 }, (accepted) => {
        accepted.setHandler({ onData: (bytes) => pieces.push(bytes.length), onClose() {} })
      }),
    )
    connection.destroy()
    const second = simulation.node('a').runtime.network.connect({ host: 'b', port: 10 })
    second.setHandler({ onData() {}, onClose() {} })
    for (let i = 0; i < 200; i++) second.write(new Uint8Array(100))
    await simulation.run({ untilMs: 1_000 })
    assert.equal(
      pieces.reduce((sum, length) => sum + length, 0),
      20_000,
    )
    assert.ok(
      pieces.some((length) => length < 100),
      'cut',
    )
    assert.ok(
      pieces.some((length) => length > 100),
      'joined',
    )
  })
})

describe('links', () => {
  it('cut in one direction let the other pass, until the missing word of receipt stops it', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.cutOneWay(['b'], ['a'])
    connection.write(utf8Bytes('one way'))
    await simulation.run({ untilMs: 1_000 })
    assert.equal(received(), 'one way')
    connection.write(new Uint8Array(1 << 20))
    await simulation.run({ untilMs: 5_000 })
    assert.ok(connection.queuedBytes > 512 * 1024, `${connection.queuedBytes} bytes wait`)
    simulation.heal()
    await simulation.run({ untilMs: 10_000 })
    assert.equal(connection.queuedBytes, 0)
    assert.equal(simulation.faults['link-cut'], 1)
  })

  it('of a bridge stay', async () => {
    const simulation = createSimulation({ seed: 1 })
    for (const name of ['a', 'b', 'c']) {
      const { network } = simulation.createNode(name).runtime
      await simulation.runUntilDone(
        network.listen({ host: name, port: 1 }, (connection) => {
          connection.setHandler({ onData() {}, onClose() {} })
        }),
      )
    }
    simulation.partition(['a', 'b'], ['b', 'c'])
    const outcomes: string[] = []
    for (const [from, to] of ['ab', 'bc', 'ca', 'ac'] as unknown as [string, string][]) {
      const connection = simulation.node(from).runtime.network.connect({ host: to, port: 1 }, { timeoutMs: 100 })
      connection.setHandler({
        onOpen: () => outcomes.push(`${from}${to} open`),
        onData() {},
        onClose: (reason: CloseReason) => outcomes.push(`${from}${to} ${reason}`),
      })
    }
    await simulation.run({ untilMs: 1_000 })
    assert.deepEqual(outcomes.sort(), ['ab open', 'ac unreachable', 'bc open', 'ca unreachable'])
  })

  it('flap until that ends', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    const end = simulation.flap({ links: [['a', 'b']], upMs: [300, 300], downMs: [700, 700] })
    for (let i = 0; i < 10; i++) simulation.after(i * 500, () => connection.write(utf8Bytes('.')))
    await simulation.run({ untilMs: 600 })
    assert.equal(received(), '')
    await simulation.run({ untilMs: 5_100 })
    assert.equal(simulation.faults['link-cut'], 2 * 6)
    assert.ok(received().length > 0)
    end()
    await simulation.run({ untilMs: 20_000 })
    assert.equal(received(), '..........')
    assert.equal(simulation.faults['link-cut'], 2 * 6, 'no more cuts')
  })

  it('have latency spikes, and losses, that are counted', async () => {
    const { simulation, connection, received } = await connectTo(createSimulation({ seed: 1 }))
    simulation.setOneWayLink('a', 'b', { latencySpikeProbability: 1, latencySpikeMs: [400, 500] })
    const startMs = simulation.nowMs
    connection.write(utf8Bytes('x'))
    await simulation.run({ until: () => received() === 'x' })
    assert.ok(simulation.nowMs - startMs >= 400)
    assert.equal(simulation.faults['latency-spike'], 1)
    simulation.setOneWayLink('a', 'b', { latencySpikeProbability: 0, lossProbability: 0.5 })
    for (let i = 0; i < 100; i++) connection.write(utf8Bytes('y'))
    await simulation.run({ untilMs: 30_000 })
    assert.equal(received().length, 101)
    assert.ok(simulation.faults['segment-lost'] > 50)
  })
})

describe('a message gate', () => {
  it('drops, delays and doubles messages as drawn, and says so', async () => {
    const simulation = createSimulation({ seed: 1 })
    simulation.createNode('a')
    const gate = simulation.createNode('b').createMessageGate()
    simulation.setMessageFaults('a', 'b', { dropProbability: 0.2, delayProbability: 0.2, duplicateProbability: 0.2 })
    const heard: number[] = []
    for (let number = 0; number < 1_000; number++) gate('a', () => heard.push(number))
    await simulation.run({})
    const { faults } = simulation
    assert.equal(heard.length, 1_000 - faults['message-dropped'] + faults['message-duplicated'])
    assert.equal(new Set(heard).size, 1_000 - faults['message-dropped'])
    for (const kind of ['message-dropped', 'message-delayed', 'message-duplicated'] as const) {
      assert.ok(faults[kind] > 100 && faults[kind] < 250, `${kind}: ${faults[kind]}`)
    }
    assert.ok(
      heard.some((number, i) => i > 0 && number < heard[i - 1]!),
      'reordered',
    )
    assert.equal(simulation.events.messagesDelivered, faults['message-delayed'] + faults['message-duplicated'])
  })

  it('obeys a rule first, and passes everything once healed', async () => {
    const simulation = createSimulation({ seed: 1 })
    const gate = simulation.createNode('b').createMessageGate()
    simulation.setMessageFaults('a', 'b', { dropProbability: 1 })
    simulation.setMessageRule(({ number }) => (number === 2 ? { kind: 'pass' } : undefined))
    let heard = ''
    for (const text of ['1', '2', '3'])
      gate('a', () => {
        heard += text
      })
    assert.equal(heard, '2')
    simulation.healMessages()
    gate('a', () => {
      heard += '4'
    })
    assert.equal(heard, '24')
  })

  it('delivers nothing after its life, and nothing late to a stopped node', async () => {
    const simulation = createSimulation({ seed: 1 })
    const node = simulation.createNode('b')
    simulation.setMessageRule(() => ({ kind: 'delay', delayMs: 10 }))
    let heard = ''
    node.createMessageGate()('a', () => {
      heard += 'stopped'
    })
    node.pause()
    await simulation.run({ untilMs: 20 })
    assert.equal(heard, '')
    node.resume()
    await simulation.run({ untilMs: 20 })
    assert.equal(heard, 'stopped')
    node.createMessageGate()('a', () => {
      heard += 'dead'
    })
    simulation.crash('b')
    simulation.restart('b')
    await simulation.run({})
    assert.equal(heard, 'stopped')
  })
})
