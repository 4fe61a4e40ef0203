// One server of the failover tests, in a process of its own so that it can be killed, stopped and slowed:
// `node failover-server.ts NAME HTTP1-PORT HTTP2-PORT [LOG] [REGISTRY]`, 0 for any free port.
//
// Answers `NAME BYTES` to every request, BYTES being the length of its body. The first segment of a path is the lane that
// requests are counted by. A request with `x-request` is noted in LOG before it is answered, so that what was handed to
// a killed process is known. With a connection string as REGISTRY it is registered as an instance of `app`. Over IPC it takes `{ delayMs }` and `'counts'`.
import { appendFileSync } from 'node:fs'
import * as http from 'node:http'
import * as http2 from 'node:http2'
import type { AddressInfo, Server } from 'node:net'

export interface Order {
  readonly delayMs?: number
}

const [name = '', http1Port = '0', http2Port = '0', log = '', registry = ''] = process.argv.slice(2)
const counts = new Map<string, number>()
let delayMs = 0

function answer(
  request: http.IncomingMessage | http2.Http2ServerRequest,
  response: http.ServerResponse | http2.Http2ServerResponse,
): void {
  const lane = request.url!.split('/')[1]!
  counts.set(lane, (counts.get(lane) ?? 0) + 1)
  const id = request.headers['x-request']
  if (typeof id === 'string' && log !== '') appendFileSync(log, `${id}\n`)
  let bytes = 0
  request.on('data', (piece: Buffer) => (bytes += piece.length))
  request.on('error', () => {})
  request.on('end', () => {
    if (delayMs === 0) response.end(`${name} ${bytes}`)
    else setTimeout(() => response.end(`${name} ${bytes}`), delayMs)
  })
}

/** A server that starts again finds its port as soon as the kernel has forgotten its predecessor. */
function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let attempts = 0
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE' || ++attempts > 100) reject(error)
      else setTimeout(() => server.listen(port, '127.0.0.1'), 20)
    })
    server.on('listening', () => resolve((server.address() as AddressInfo).port))
    server.listen(port, '127.0.0.1')
  })
}

process.on('message', (order: Order | 'counts') => {
  if (order === 'counts') process.send!(Object.fromEntries(counts))
  else delayMs = order.delayMs ?? delayMs
})
process.on('disconnect', () => process.exit())
const ports = await Promise.all([
  listen(http.createServer({ keepAliveTimeout: 60_000 }, answer), Number(http1Port)),
  listen(http2.createServer(answer) as unknown as Server, Number(http2Port)),
])
if (registry !== '') {
  const { connect } = await import('../../src/client/index.ts')
  const plane = await connect(registry)
  if (!('registry' in plane)) throw new Error('the engine keeps no registry')
  await plane.registry.register({ service: 'app', id: name, address: '127.0.0.1', port: ports[0] })
}
process.send!({ http1: ports[0], http2: ports[1] })
