/**
 * gRPC over Node's own HTTP/2, for clients that must know afterwards what may have happened: a call fails as `not-sent`
 * only when no byte of it left this process.
 *
 * - G1  A call is sent only on a session whose peer has spoken (its SETTINGS arrived). A stopped process accepts
 *       connections by its kernel and says nothing; what would be sent to it stays unsent, with certainty.
 * - G2  Every call ends within its deadline, whatever the peer does.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { performance } from 'node:perf_hooks'
import { MessageCutter } from './message-cutter.ts'
import { RpcFailure } from './rpc-failure.ts'

/** How a stream of messages ended; undefined when the node ended it with status 0. */
export type StreamEnd = RpcFailure | undefined

export interface StreamSink {
  readonly onMessage: (message: Uint8Array) => void
  /** Called once. Nothing follows. */
  readonly onEnd: (end: StreamEnd) => void
}

/** An open stream of messages both ways. */
export interface RpcStream {
  readonly send: (message: Uint8Array) => void
  /** Ends it from this side; `onEnd` is not called. */
  readonly cancel: () => void
}

export class GrpcConnection {
  readonly endpoint: string
  private session: ClientHttp2Session | undefined
  private opening: Promise<ClientHttp2Session> | undefined
  private closed = false

  constructor(endpoint: string) {
    this.endpoint = endpoint
  }

  /** Sends one request and resolves with its one response; rejects with an {@link RpcFailure} within `timeoutMs`. */
  async unary(path: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const startMs = performance.now()
    const session = await this.ready(timeoutMs)
    const leftMs = Math.max(1, Math.round(timeoutMs - (performance.now() - startMs)))
    return new Promise((resolve, reject) => {
      let response: Uint8Array | undefined
      const stream = openStream(session, path, leftMs, {
        onMessage: (message) => {
          response ??= message
        },
        onEnd: (end) => {
          clearTimeout(timer)
          if (end !== undefined) reject(end)
          else if (response === undefined) reject(new RpcFailure('broken', `${path}: the node sent no response`))
          else resolve(response)
        },
      })
      const timer = setTimeout(() => {
        stream.cancel()
        reject(new RpcFailure('deadline', `no answer in ${timeoutMs} ms`))
      }, leftMs)
      stream.send(request)
      stream.half()
    })
  }

  /** Opens a stream that stays; rejects with `not-sent` when no session can be had within `timeoutMs`. */
  async stream(path: string, timeoutMs: number, sink: StreamSink): Promise<RpcStream> {
    return openStream(await this.ready(timeoutMs), path, undefined, sink)
  }

  /** Breaks everything that is open on it. */
  close(): void {
    this.closed = true
    this.session?.destroy()
  }

  private ready(timeoutMs: number): Promise<ClientHttp2Session> {
    if (this.closed) return Promise.reject(new RpcFailure('not-sent', 'the connection was closed'))
    const session = this.session
    if (session !== undefined && !session.closed && !session.destroyed) return Promise.resolve(session)
    this.opening ??= this.open(timeoutMs).finally(() => {
      this.opening = undefined
    })
    return this.opening
  }

  private open(timeoutMs: number): Promise<ClientHttp2Session> {
    return new Promise((resolve, reject) => {
      const session = connect(this.endpoint)
      const fail = (why: string): void => {
        clearTimeout(timer)
        session.destroy()
        reject(new RpcFailure('not-sent', `no connection to ${this.endpoint}: ${why}`))
      }
      const timer = setTimeout(() => fail(`no greeting in ${Math.round(timeoutMs)} ms`), timeoutMs)
      // A late error of a session that is already given up or established must not end the process.
      session.on('error', (error: Error) => fail(error.message))
      session.once('close', () => fail('closed'))
      session.once('remoteSettings', () => {
        clearTimeout(timer)
        this.session = session
        if (this.closed) fail('closed')
        else resolve(session)
      })
    })
  }
}

interface OpenStream extends RpcStream {
  /** No further request follows. */
  readonly half: () => void
}

function openStream(
  session: ClientHttp2Session,
  path: string,
  timeoutMs: number | undefined,
  sink: StreamSink,
): OpenStream {
  let stream: ClientHttp2Stream
  try {
    stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(timeoutMs === undefined ? {} : { 'grpc-timeout': `${timeoutMs}m` }),
    })
  } catch (error) {
    // The session ended in this very turn: nothing was sent.
    throw new RpcFailure('not-sent', (error as Error).message)
  }
  let status: number | undefined
  let statusText = ''
  let why = ''
  let ended = false
  const end = (how: StreamEnd): void => {
    if (ended) return
    ended = true
    sink.onEnd(how)
  }
  const note = (headers: Readonly<Record<string, unknown>>): void => {
    if (headers['grpc-status'] === undefined) return
    status = Number(headers['grpc-status'])
    statusText = decodeURIComponent(String(headers['grpc-message'] ?? ''))
  }
  const cutter = new MessageCutter()
  stream.on('response', note)
  stream.on('trailers', note)
  stream.on('data', (chunk: Buffer) => {
    cutter.push(chunk)
    for (let message = cutter.take(); message !== undefined && !ended; message = cutter.take()) sink.onMessage(message)
  })
  stream.on('error', (error: Error) => {
    why = `: ${error.message}`
  })
  stream.on('close', () => {
    if (status === 0) end(undefined)
    else if (status !== undefined) end(new RpcFailure('refused', statusText, status))
    else end(new RpcFailure('broken', `the connection broke${why}`))
  })
  return {
    send: (message) => {
      if (!stream.destroyed && !stream.writableEnded) stream.write(framed(message))
    },
    half: () => {
      stream.end()
    },
    cancel: () => {
      ended = true
      stream.close(constants.NGHTTP2_CANCEL)
    },
  }
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length)
  frame[0] = 0
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  return frame
}
