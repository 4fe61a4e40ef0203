// What connections that do nothing cost a proxy: opens them, lets each make one request, and reads its memory.
import { createConnection, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Side } from './sides.ts'

export interface IdleResult {
  readonly connections: number
  /** Of all processes, before and with the connections. */
  readonly pssBefore: number
  readonly pssWith: number
  readonly rssWith: number
}

const openAtOnce = 200
const settleMs = 3_000

export async function measureIdle(side: Side, connections: number): Promise<IdleResult> {
  const pssBefore = side.pssBytes()
  const sockets: Socket[] = []
  try {
    while (sockets.length < connections) {
      const batch = Math.min(openAtOnce, connections - sockets.length)
      sockets.push(...(await Promise.all(Array.from({ length: batch }, () => openAndAsk(side.ports.http)))))
    }
    await delay(settleMs)
    return { connections, pssBefore, pssWith: side.pssBytes(), rssWith: side.rssBytes() }
  } finally {
    for (const socket of sockets) socket.destroy()
  }
}

function openAndAsk(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => {
      socket.write('GET /small HTTP/1.1\r\nhost: bench.example\r\n\r\n')
    })
    socket.once('data', () => resolve(socket))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('a connection was closed before it was idle')))
  })
}
