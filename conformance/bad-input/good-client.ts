// A well-behaved client in a process of its own: puts and reads over one connection until its standard input ends, then
// prints how it was served. `node good-client.ts ENDPOINT`
import http2 from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import { envelope, kv } from './frames.ts'

/** How a well-behaved client fared. */
export interface Service {
  readonly served: number
  readonly failures: readonly string[]
  readonly slowestMs: number
}

const pauseMs = 10
const timeoutMs = 10_000

function call(session: http2.ClientHttp2Session, path: string, message: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const body: Buffer[] = []
    let status: unknown
    let text: unknown
    stream.setTimeout(timeoutMs, () => reject(new Error(`no answer in ${timeoutMs} ms`)))
    stream.on('response', (head) => {
      status = head['grpc-status']
      text = head['grpc-message']
    })
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'] ?? status
      text = trailers['grpc-message'] ?? text
    })
    stream.on('data', (bytes: Buffer) => body.push(bytes))
    stream.on('error', reject)
    stream.on('close', () => {
      if (String(status) === '0') resolve(Buffer.concat(body))
      else reject(new Error(`grpc-status ${status} ${text}`))
    })
    stream.end(envelope(message))
  })
}

async function main(endpoint: string): Promise<void> {
  let stop = false
  process.stdin.on('end', () => (stop = true)).resume()
  const session = http2.connect(endpoint)
  session.on('error', () => {})
  const failures: string[] = []
  let served = 0
  let slowestMs = 0
  for (let i = 0; !stop; i++) {
    const value = `value ${i}`
    const startMs = performance.now()
    try {
      await call(session, kv.put, kv.putRequest('good', value))
      const answer = await call(session, kv.range, kv.rangeRequest('good'))
      if (!answer.includes(value)) throw new Error('read another value than it wrote')
      served++
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
      if (session.destroyed) break
    }
    slowestMs = Math.max(slowestMs, performance.now() - startMs)
    await delay(pauseMs)
  }
  session.destroy()
  const service: Service = { served, failures, slowestMs: Math.round(slowestMs) }
  console.log(JSON.stringify(service))
}

if (import.meta.main) await main(process.argv[2]!)
