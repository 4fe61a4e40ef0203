/**
 * What the command line needs of gRPC, over Node's own HTTP/2: one request at a time, or one open stream. The client
 * for programs is a part of its own.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { CommandError } from './output.ts'

/** How long a request may take before the command gives up, in milliseconds. */
const requestTimeoutMs = 10_000

/** A node answered a request with a gRPC error. */
export class RpcError extends CommandError {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** What to do when no node answers. */
export const noAnswerAdvice = 'Is the cluster running? Start one with "synod up", or name its nodes with --endpoints.'

/** $SYNOD_ENDPOINTS; a variable that is set to nothing counts as not set. */
export function endpointsOfEnvironment(): string | undefined {
  return process.env['SYNOD_ENDPOINTS'] || undefined
}

/** The nodes to ask, from --endpoints, else $SYNOD_ENDPOINTS, else the default. */
export function endpointsOf(flag: string | boolean | undefined): string[] {
  const text = typeof flag === 'string' ? flag : (endpointsOfEnvironment() ?? '127.0.0.1:2379')
  const endpoints = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (endpoints.length === 0) {
    const source = typeof flag === 'string' ? '--endpoints' : '$SYNOD_ENDPOINTS'
    throw new CommandError(`${source} names no node; it must be addresses like 127.0.0.1:2379, comma-separated.`, 2)
  }
  return endpoints.map((endpoint) => {
    if (endpoint.startsWith('https:')) throw new CommandError(`${endpoint}: https is not carried out yet; use http.`, 2)
    return endpoint.includes('://') ? endpoint : `http://${endpoint}`
  })
}

/** A connection to the first of several nodes that answers. */
export class EtcdConnection {
  readonly endpoint: string
  private readonly session: ClientHttp2Session

  private constructor(endpoint: string, session: ClientHttp2Session) {
    this.endpoint = endpoint
    this.session = session
  }

  static async open(endpoints: readonly string[]): Promise<EtcdConnection> {
    const failures: string[] = []
    for (const endpoint of endpoints) {
      try {
        return await EtcdConnection.openOne(endpoint)
      } catch (error) {
        failures.push(`${endpoint}: ${(error as Error).message}`)
      }
    }
    throw new CommandError(`no node answers (${failures.join('; ')}). ${noAnswerAdvice}`)
  }

  private static openOne(endpoint: string): Promise<EtcdConnection> {
    return new Promise((resolve, reject) => {
      const session = connect(endpoint)
      const timer = setTimeout(() => session.destroy(new Error('no answer in 3 s')), 3000)
      session.once('remoteSettings', () => {
        clearTimeout(timer)
        session.removeListener('error', reject)
        session.on('error', () => {})
        resolve(new EtcdConnection(endpoint, session))
      })
      session.once('error', (error) => {
        clearTimeout(timer)
        reject(error)
      })
    })
  }

  /** Sends one request and resolves with its one response; rejects with an {@link RpcError}. */
  async unary(path: string, request: Uint8Array): Promise<Uint8Array> {
    const stream = this.stream(path, requestTimeoutMs)
    stream.send(request)
    stream.end()
    for await (const response of stream.messages()) return response
    throw new RpcError(13, `${path}: the node sent no response`)
  }

  stream(path: string, timeoutMs?: number): RpcStream {
    const headers = {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${timeoutMs}m` }),
    }
    return new RpcStream(this.session.request(headers))
  }

  close(): void {
    this.session.destroy()
  }
}

/** A stream of messages both ways. */
export class RpcStream {
  private readonly stream: ClientHttp2Stream
  private status: number | undefined
  private statusMessage = ''

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream
    const note = (headers: Readonly<Record<string, unknown>>) => {
      if (headers['grpc-status'] === undefined) return
      this.status = Number(headers['grpc-status'])
      this.statusMessage = decodeURIComponent(String(headers['grpc-message'] ?? ''))
    }
    stream.on('response', note)
    stream.on('trailers', note)
  }

  send(message: Uint8Array): void {
    const frame = Buffer.alloc(5 + message.length)
    frame.writeUInt32BE(message.length, 1)
    frame.set(message, 5)
    this.stream.write(frame)
  }

  end(): void {
    this.stream.end()
  }

  cancel(): void {
    this.stream.close(constants.NGHTTP2_CANCEL)
  }

  /** The messages as they come; ends with the stream, or throws its error. */
  async *messages(): AsyncGenerator<Uint8Array> {
    let buffered: Buffer = Buffer.alloc(0)
    try {
      for await (const chunk of this.stream) {
        buffered = buffered.length === 0 ? (chunk as Buffer) : Buffer.concat([buffered, chunk as Buffer])
        while (buffered.length >= 5) {
          const length = buffered.readUInt32BE(1)
          if (buffered.length < 5 + length) break
          yield buffered.subarray(5, 5 + length)
          buffered = buffered.subarray(5 + length)
        }
      }
    } catch (error) {
      throw new RpcError(
        14,
        `the connection broke: ${(error as Error).message}. What was sent may have been carried out.`,
      )
    }
    if (this.status === undefined)
      throw new RpcError(14, 'the connection broke. What was sent may have been carried out.')
    if (this.status !== 0) throw new RpcError(this.status, this.statusMessage)
  }
}
