/** Ports that nothing listens on. */
import { createServer } from 'node:net'
import type { Prng } from '../../../base/index.ts'

/** Below the range from which kernels take the ports of outgoing connections: a node that restarts must find its own free. */
const portMin = 10_000
const portCount = 20_000

/** `count` free ports of the loopback address, all different. */
export async function freePorts(count: number, random: Prng): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = portMin + random.below(portCount)
    if (!ports.has(port) && (await isFree(port))) ports.add(port)
  }
  return [...ports]
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)))
  })
}
