/** What the tests of this folder share: calls as promises, and a server of ours. Not part of the face. */
import type { TestContext } from 'node:test'
import type { Address, Runtime } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import { type GrpcOptions, type GrpcRoutes, GrpcServer, streaming, unary } from '../grpc/index.ts'
import { GrpcChannel } from './grpc-channel.ts'
import type { GrpcChannelOptions, GrpcClientOutside } from './options.ts'
import type { StreamEnd, UnaryOptions, UnaryReply } from './replies.ts'

export const echoPath = '/test.Echo/Unary'
export const echoStreamPath = '/test.Echo/Stream'
export const failPath = '/test.Echo/Fail'
export const silentPath = '/test.Echo/Silent'

/** Answers what it is asked, with itself. `Fail` answers status 9; `Silent` never answers. */
export const echoRoutes: GrpcRoutes = {
  [echoPath]: unary((call) => call.reply(call.message)),
  [failPath]: unary((call) => call.fail(9, 'no: 100 % “no”')),
  [silentPath]: unary(() => {}),
  [echoStreamPath]: streaming((call) => {
    call.onMessage((message) => {
      call.send(Buffer.from(message))
    })
    call.onHalfClose(() => call.end())
  }),
}

export interface TestServer {
  readonly server: GrpcServer
  readonly address: Address
}

/** Serves `routes` on a real socket until the test ends. */
export async function startServer(
  t: TestContext,
  routes: readonly GrpcRoutes[] = [echoRoutes],
  options: Partial<GrpcOptions> = {},
): Promise<TestServer> {
  const { clock, scheduler, network } = createNodeRuntime({ logLevel: 'error' })
  const server = new GrpcServer({ clock, scheduler, routes, options })
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    connection.setHandler(server.accept(connection))
  })
  t.after(() => listener.close())
  return { server, address: listener.address }
}

/** A channel on the real network, connecting, closed when the test ends. */
export function openChannel(
  t: TestContext,
  address: Address,
  options: GrpcChannelOptions = {},
  outside: Partial<GrpcClientOutside> = {},
): GrpcChannel {
  const runtime: Runtime = createNodeRuntime({ logLevel: 'error' })
  const channel = new GrpcChannel({ ...runtime, ...outside }, address, options)
  t.after(() => channel.close())
  channel.connect()
  return channel
}

/** Resolves once the channel is in `state`. */
export function reached(channel: GrpcChannel, state: GrpcChannel['state']): Promise<void> {
  if (channel.state === state) return Promise.resolve()
  return new Promise((resolve) => {
    const stop = channel.onStateChange((now) => {
      if (now !== state) return
      stop()
      resolve()
    })
  })
}

/** A unary call as a promise. */
export function call(
  channel: GrpcChannel,
  path: string,
  request: Uint8Array,
  options: UnaryOptions = {},
): Promise<UnaryReply> {
  return new Promise((resolve) => {
    channel.unary(path, request, options, resolve)
  })
}

/** Resolves once `condition` holds; rejects when that takes absurdly long. */
export async function eventually(condition: () => boolean): Promise<void> {
  const untilMs = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > untilMs) throw new Error(`never: ${condition}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** A handler that notes all that it is told. */
export class Transcript {
  readonly messages: Buffer[] = []
  readonly ends: StreamEnd[] = []
  private wakers: (() => void)[] = []

  onMessage(message: Uint8Array): void {
    this.messages.push(Buffer.from(message))
    this.wake()
  }

  onEnd(end: StreamEnd): void {
    this.ends.push(end)
    this.wake()
  }

  /** Resolves once `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.wakers.push(resolve))
  }

  private wake(): void {
    const wakers = this.wakers
    this.wakers = []
    for (const waker of wakers) waker()
  }
}
