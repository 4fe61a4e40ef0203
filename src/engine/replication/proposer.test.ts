/** What ProposalQueue and Proposer promise of forwarded proposals: P1 and B2. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { utf8Bytes } from '../../base/index.ts'
import { Envelope } from './envelope.ts'
import { messageKind } from './message-kinds.ts'
import { defaultGroupOptions } from './options.ts'
import { ProposalQueue } from './proposal-queue.ts'
import { type Office, Proposer } from './proposer.ts'
import { FakePort } from './testing/fake-port.ts'

function makeProposer(port: FakePort, office: Office) {
  const queue = new ProposalQueue<unknown>({ countMax: 100, bytesMax: 1 << 20 }, true)
  const proposed: Uint8Array[] = []
  const state = { office }
  const proposer = new Proposer(
    port,
    defaultGroupOptions,
    queue,
    () => state.office,
    (payloads) => {
      proposed.push(...payloads)
      return { ok: true, term: state.office.term, firstIndex: proposed.length - payloads.length + 1 }
    },
    () => {},
  )
  const add = (envelope: Envelope) => {
    const payload = envelope.wrap(utf8Bytes('x'))
    queue.add({
      sequence: envelope.lastSequenceUsed,
      payload,
      done: () => {},
      deadlineMs: Number.POSITIVE_INFINITY,
      handedTerm: 0,
    })
  }
  return { queue, proposer, proposed, state, add }
}

const follows = (term: number): Office => ({ leading: false, behind: false, leader: 2n, term })
const leads = (term: number): Office => ({ leading: true, behind: false, leader: 1n, term })
const nonce = (byte: number) => new Uint8Array(8).fill(byte)

describe('forwarded proposals', () => {
  test('a refusal names the term and the envelope, so that it fits one forwarding only', () => {
    const followerPort = new FakePort('follower')
    const follower = makeProposer(followerPort, follows(4))
    follower.add(new Envelope(nonce(1)))
    follower.proposer.flush()
    const [forward] = followerPort.take()
    const leaderPort = new FakePort('leader')
    const { proposer, proposed } = makeProposer(leaderPort, leads(5))
    proposer.onForward(1n, forward!.payload)
    proposer.flush()
    assert.equal(proposed.length, 0, 'proposed in another term than it was meant for (B2)')
    const [refusal] = leaderPort.take()
    assert.equal(refusal?.kind, messageKind.forwardRefused)
    assert.equal(refusal.payload.readDoubleLE(0), 4)
    assert.equal(new Envelope(nonce(1)).sequenceOf(refusal.payload.subarray(8)), 1)
    assert.equal(new Envelope(nonce(2)).sequenceOf(refusal.payload.subarray(8)), 0, 'taken for one of another life')
  })

  test('a refusal of an earlier term does not take back what a later leader was handed', () => {
    const { queue, proposer, state, add } = makeProposer(new FakePort('late'), follows(4))
    add(new Envelope(nonce(1)))
    proposer.flush()
    queue.takeBack(4, [1])
    state.office = follows(6)
    proposer.flush()
    queue.takeBack(4, [1])
    assert.equal(queue.hasWaiting, false, 'it would be handed, and perhaps proposed, twice')
  })

  test('nothing is handed to a leader without a connection to it', () => {
    const port = new FakePort('cut')
    const { queue, proposer, add } = makeProposer(port, follows(4))
    port.connected = false
    add(new Envelope(nonce(1)))
    proposer.flush()
    assert.equal(queue.hasWaiting, true)
    port.connected = true
    proposer.flush()
    assert.equal(port.take().length, 1)
  })

  test('a leader whose disk is full takes nothing, and one that is behind waits', () => {
    const port = new FakePort('full')
    const { proposer, proposed, state, add } = makeProposer(port, { ...leads(4), behind: true })
    add(new Envelope(nonce(1)))
    proposer.flush()
    assert.equal(proposed.length, 0)
    state.office = leads(4)
    proposer.flush()
    assert.equal(proposed.length, 1)
    proposer.setRefusing(true)
    const payload = new Envelope(nonce(2)).wrap(utf8Bytes('y'))
    const head = Buffer.alloc(12)
    head.writeDoubleLE(4, 0)
    head.writeUInt32LE(payload.length, 8)
    proposer.onForward(2n, Buffer.concat([head, payload]))
    assert.equal(port.take()[0]?.kind, messageKind.forwardRefused)
  })
})
