import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type Connection, silentLogger } from '../../runtime/index.ts'
import { MessageType, writeMessage } from './message-envelope.ts'
import { ServedConnection } from './served-connection.ts'
import type { ThriftListener } from './thrift-listener.ts'

/** A connection whose other end is the test, on a server without methods: each call is answered at once. */
function accepted() {
  const log: string[] = []
  const connection = {
    remoteAddress: 'test',
    queuedBytes: 0,
    write: () => true,
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
    },
    isClosing: false,
    find: () => undefined,
    closed: () => {},
  }
  const served = new ServedConnection(listener as unknown as ThriftListener, connection as unknown as Connection)
  const pass = (ms: number): void => {
    nowMs += ms
    for (const timer of timers.filter(({ atMs }) => atMs <= nowMs)) timer.callback()
  }
  return { served, connection, log, pass }
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
