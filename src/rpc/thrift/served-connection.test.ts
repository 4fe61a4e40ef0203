import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Connection, silentLogger } from '../../runtime/index.ts'
import { noMetadata } from '../service/index.ts'
import { MessageType, writeMessage } from './message-envelope.ts'
import { ServedConnection, type ThriftIncomingCall } from './served-connection.ts'
import type { ThriftListener } from './thrift-listener.ts'

/**
 * A connection whose other end is the test, on a server without methods: each call is answered at once. With `onCall` it
 * has every method, and leaves calls to that.
 */
function accepted(onCall?: (call: ThriftIncomingCall) => void, isOneway = false) {
  const log: string[] = []
  const written = { count: 0 }
  const connection = {
    remoteAddress: 'test',
    queuedBytes: 0,
    write: () => {
      written.count++
      return true
    },
    pause: () => log.push('pause'),
    resume: () => log.push('resume'),
    end: () => log.push('end'),
    destroy: () => log.push('destroy'),
  }
  let nowMs = 0
  let timers: { readonly atMs: number; readonly callback: () => void }[] = []
  const scheduler = {
    setTimer: (delayMs: number, callback: () => void) => {
      const timer = { atMs: nowMs + delayMs, callback }
      timers.push(timer)
      return { cancel: () => (timers = timers.filter((each) => each !== timer)) }
    },
    endOfTurn: (callback: () => void) => callback(),
  }
  const listener = {
    init: {
      limits: { messageBytesMax: 1_000, connectionCallsMax: 10, requestTimeoutMs: 1_000 },
      outside: { scheduler, logger: silentLogger },
      onCall,
    },
    isClosing: false,
    find: () => (onCall === undefined ? undefined : { isOneway }),
    closed: () => {},
  }
  const served = new ServedConnection(listener as unknown as ThriftListener, connection as unknown as Connection)
  const pass = (ms: number): void => {
    nowMs += ms
    for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) timer.callback()
  }
  return { served, connection, log, pass, written }
}

const call = Buffer.from(
  writeMessage('binary', { name: 'ping', type: MessageType.call, sequence: 1 }, new Uint8Array([0]), true),
)

it('a message has its own time to arrive: a client that always has one under way is not late', () => {
  const { served, log, pass } = accepted()
  const half = call.length >> 1
  served.onData(Buffer.concat([call, call.subarray(0, half)]))
  for (let i = 0; i < 5; i++) {
    pass(600)
    served.onData(Buffer.concat([call.subarray(half), call.subarray(0, half)]))
  }
  assert.deepEqual(log, [])
  pass(1_000)
  assert.deepEqual(log, ['destroy'])
})

it('nothing is read from a client that takes no answers', () => {
  const { served, connection, log } = accepted()
  connection.queuedBytes = (1 << 20) + 1
  served.onData(call)
  assert.deepEqual(log, ['pause'])
  connection.queuedBytes = 0
  served.onDrain()
  assert.deepEqual(log, ['pause', 'resume'])
})

it('one read begins no more calls than a connection may have; the others follow, in order', () => {
  const begun: number[] = []
  const open: ThriftIncomingCall[] = []
  const { served, log } = accepted((incoming) => {
    begun.push(incoming.envelope.sequence)
    open.push(incoming)
  })
  const ping = (sequence: number): Uint8Array =>
    writeMessage('binary', { name: 'ping', type: MessageType.call, sequence }, new Uint8Array([0]), true)
  served.onData(Buffer.concat(Array.from({ length: 25 }, (_, i) => ping(i))))
  assert.equal(begun.length, 10)
  assert.deepEqual(log, ['pause'])
  for (let i = 0; i < 25; i++) {
    assert.ok(open.length <= 10)
    open.shift()!.end(undefined, '', noMetadata)
  }
  assert.deepEqual(
    begun,
    Array.from({ length: 25 }, (_, i) => i),
  )
  assert.deepEqual(log, ['pause', 'resume'])
})

it('calls that wait for their turn are not late, nor begun for a client that has left', () => {
  const open: ThriftIncomingCall[] = []
  const { served, log, pass } = accepted((incoming) => open.push(incoming))
  served.onData(Buffer.concat([...Array.from({ length: 12 }, () => call), call.subarray(0, 5)]))
  pass(5_000)
  assert.deepEqual(log, ['pause'])
  served.onEnd()
  assert.equal(open.length, 10)
  assert.deepEqual(log, ['pause', 'resume', 'end'])
})

it('a method that the interface declares oneway is not answered, though the client wrote it as a call', () => {
  for (const isOneway of [true, false]) {
    const { served, written } = accepted((one) => one.end('UNKNOWN', 'it failed', noMetadata), isOneway)
    served.onData(call)
    assert.equal(written.count, isOneway ? 0 : 1)
  }
})
