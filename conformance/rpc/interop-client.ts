/** The client's half of gRPC's interoperability tests (grpc/grpc doc/interop-test-descriptions.md), played by Synod's client. */
import assert from 'node:assert/strict'
import { cameCompressed, compressed, grpcClientTransport, uncompressed } from '../../src/rpc/grpc/index.ts'
import { type ClientOptions, createClient, type Metadata, type RpcClient, RpcError } from '../../src/rpc/index.ts'
import {
  initialEchoName,
  type OutputRequest,
  payloadOf,
  testService,
  trailingEchoName,
  unimplementedService,
} from './interop-service.ts'

type TestClient = RpcClient<typeof testService.methods>

// The sizes are the document's.
const requestBytes = 271_828
const responseBytes = 314_159
const requestSizes = [27_182, 8, 1_828, 45_904]
const responseSizes = [31_415, 9, 2_653, 58_979]

/** What may be chosen for a message, and how. */
const choices = [
  [true, compressed],
  [false, uncompressed],
] as const

/** Runs one case against the server that the options name; throws when it fails. */
export const clientCases: Readonly<Record<string, (options: ClientOptions) => Promise<void>>> = {
  empty_unary: asTestClient(async (client) => {
    assert.deepEqual({ ...(await client.emptyCall({})) }, {})
  }),

  large_unary: asTestClient(async (client) => {
    const { payload } = await client.unaryCall({ responseSize: responseBytes, payload: payloadOf(requestBytes) })
    assert.equal(payload?.body.length, responseBytes)
  }),

  cacheable_unary: asTestClient(async (client) => {
    // Not served by all: grpc-go's server has no such method.
    const answer = await client.cacheableUnaryCall({ payload: payloadOf(10) }).catch(codeOf)
    assert.ok(answer === 'UNIMPLEMENTED' || typeof answer === 'object', String(answer))
  }),

  client_streaming: asTestClient(async (client) => {
    const { aggregatedPayloadSize } = await client.streamingInputCall(
      requestSizes.map((size) => ({ payload: payloadOf(size) })),
    )
    assert.equal(aggregatedPayloadSize, 74_922)
  }),

  server_streaming: asTestClient(async (client) => {
    const responseParameters = responseSizes.map((size) => ({ size }))
    assert.deepEqual(await sizesOf(client.streamingOutputCall({ responseParameters })), responseSizes)
  }),

  ping_pong: asTestClient(async (client) => {
    const pings = new Pings()
    const seen: number[] = []
    const answers = client.fullDuplexCall(pings)[Symbol.asyncIterator]()
    for (const [at, size] of responseSizes.entries()) {
      pings.send({ responseParameters: [{ size }], payload: payloadOf(requestSizes[at]!) })
      seen.push((await answers.next()).value.payload.body.length)
    }
    pings.end()
    assert.deepEqual(seen, responseSizes)
    assert.equal((await answers.next()).done, true)
  }),

  empty_stream: asTestClient(async (client) => {
    assert.deepEqual(await sizesOf(client.fullDuplexCall([])), [])
  }),

  timeout_on_sleeping_server: asTestClient(async (client) => {
    const pings = new Pings()
    pings.send({ payload: payloadOf(27_182) })
    assert.equal(await sizesOf(client.fullDuplexCall(pings, { timeoutMs: 1 })).catch(codeOf), 'DEADLINE_EXCEEDED')
    pings.end()
  }),

  cancel_after_begin: asTestClient(async (client) => {
    const cancelling = new AbortController()
    const requests = new Pings<{ readonly payload: { readonly body: Uint8Array } }>()
    const answer = client.streamingInputCall(requests, { signal: cancelling.signal }).catch(codeOf)
    cancelling.abort()
    assert.equal(await answer, 'CANCELLED')
    requests.end()
  }),

  cancel_after_first_response: asTestClient(async (client) => {
    const cancelling = new AbortController()
    const pings = new Pings()
    const answers = client.fullDuplexCall(pings, { signal: cancelling.signal })[Symbol.asyncIterator]()
    pings.send({ responseParameters: [{ size: 31_415 }], payload: payloadOf(27_182) })
    assert.equal((await answers.next()).value.payload.body.length, 31_415)
    cancelling.abort()
    assert.equal(await answers.next().catch(codeOf), 'CANCELLED')
    pings.end()
  }),

  status_code_and_message: asTestClient(async (client) => {
    const responseStatus = { code: 2, message: 'test status message' }
    const failures = [
      await client.unaryCall({ responseStatus }).catch(asError),
      await sizesOf(client.fullDuplexCall([{ responseStatus }])).catch(asError),
    ]
    for (const failure of failures) assertFailure(failure, 'UNKNOWN', responseStatus.message)
  }),

  special_status_message: asTestClient(async (client) => {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n'
    const failure = await client.unaryCall({ responseStatus: { code: 2, message } }).catch(asError)
    assertFailure(failure, 'UNKNOWN', message)
  }),

  unimplemented_method: asTestClient(async (client) => {
    assert.equal(await client.unimplementedCall({}).catch(codeOf), 'UNIMPLEMENTED')
  }),

  async unimplemented_service(options) {
    await using client = createClient(unimplementedService, options)
    assert.equal(await client.unimplementedCall({}).catch(codeOf), 'UNIMPLEMENTED')
  },

  custom_metadata: asTestClient(async (client) => {
    const metadata = {
      [initialEchoName]: 'test_initial_metadata_value',
      [trailingEchoName]: Uint8Array.of(0xab, 0xab, 0xab),
    }
    for (const call of [unaryEcho, duplexEcho]) {
      const seen = await call(client, metadata)
      assert.equal(seen.head?.get(initialEchoName), metadata[initialEchoName])
      assert.deepEqual(Buffer.from(seen.trailers?.get(trailingEchoName) as Uint8Array), Buffer.of(0xab, 0xab, 0xab))
    }
  }),

  // A channel that lives on: the same connections carry every call.
  rpc_soak: asTestClient(async (client) => {
    const soak = async (): Promise<void> => {
      for (let at = 0; at < 50; at++) {
        const { payload } = await client.unaryCall({ responseSize: responseBytes, payload: payloadOf(requestBytes) })
        assert.equal(payload?.body.length, responseBytes)
      }
    }
    await Promise.all([soak(), soak(), soak(), soak()])
  }),
}

/** Those that choose for each message whether it is compressed; grpc-go has none of it, grpc-java's server one. */
export const compressionCases: Readonly<Record<string, (options: ClientOptions) => Promise<void>>> = {
  client_compressed_unary: asCompressingClient(async (client) => {
    const request = { responseSize: responseBytes, payload: payloadOf(requestBytes) }
    const probe = client.unaryCall(uncompressed({ ...request, expectCompressed: { value: true } }))
    assert.equal(await probe.then(noFailure, codeOf), 'INVALID_ARGUMENT')
    for (const [value, choose] of choices) {
      const { payload } = await client.unaryCall(choose({ ...request, expectCompressed: { value } }))
      assert.equal(payload?.body.length, responseBytes)
    }
  }),

  server_compressed_unary: asCompressingClient(async (client) => {
    for (const value of [true, false]) {
      const request = { responseCompressed: { value }, responseSize: responseBytes, payload: payloadOf(requestBytes) }
      const response = await client.unaryCall(request)
      assert.deepEqual([response.payload?.body.length, cameCompressed(response)], [responseBytes, value])
    }
  }),

  client_compressed_streaming: asCompressingClient(async (client) => {
    const probe = uncompressed({ expectCompressed: { value: true }, payload: payloadOf(27_182) })
    assert.equal(await client.streamingInputCall([probe]).then(noFailure, codeOf), 'INVALID_ARGUMENT')
    const sizes = [27_182, 45_904]
    const requests = choices.map(([value, choose], at) =>
      choose({ expectCompressed: { value }, payload: payloadOf(sizes[at]!) }),
    )
    assert.equal((await client.streamingInputCall(requests)).aggregatedPayloadSize, 73_086)
  }),

  server_compressed_streaming: asCompressingClient(async (client) => {
    const responseParameters = [
      { compressed: { value: true }, size: 31_415 },
      { compressed: { value: false }, size: 92_653 },
    ]
    const seen: [number, boolean][] = []
    for await (const response of client.streamingOutputCall({ responseParameters })) {
      seen.push([response.payload.body.length, cameCompressed(response)])
    }
    assert.deepEqual(seen, [
      [31_415, true],
      [92_653, false],
    ])
  }),
}

function asTestClient(run: (client: TestClient) => Promise<void>): (options: ClientOptions) => Promise<void> {
  return async (options) => {
    await using client = createClient(testService, options)
    await run(client)
  }
}

/** Requests are compressed only where a case says so; answers come as the server has them. */
function asCompressingClient(run: (client: TestClient) => Promise<void>): (options: ClientOptions) => Promise<void> {
  const runCase = asTestClient(run)
  return (options) => {
    const transport = grpcClientTransport({ compression: 'gzip', compressFromBytes: Number.POSITIVE_INFINITY })
    return runCase({ transport, ...options })
  }
}

interface Seen {
  head?: Metadata
  trailers?: Metadata
}

type EchoMetadata = Readonly<Record<string, string | Uint8Array>>

async function unaryEcho(client: TestClient, metadata: EchoMetadata): Promise<Seen> {
  const seen: Seen = {}
  const request = { responseSize: responseBytes, payload: payloadOf(requestBytes) }
  await client.unaryCall(request, { metadata, ...listeners(seen) })
  return seen
}

async function duplexEcho(client: TestClient, metadata: EchoMetadata): Promise<Seen> {
  const seen: Seen = {}
  const request = { responseParameters: [{ size: responseBytes }], payload: payloadOf(requestBytes) }
  assert.deepEqual(await sizesOf(client.fullDuplexCall([request], { metadata, ...listeners(seen) })), [responseBytes])
  return seen
}

function listeners(seen: Seen): { onHeaders(metadata: Metadata): void; onTrailers(metadata: Metadata): void } {
  return {
    onHeaders: (metadata) => {
      seen.head = metadata
    },
    onTrailers: (metadata) => {
      seen.trailers = metadata
    },
  }
}

async function sizesOf(answers: AsyncIterable<{ readonly payload: { readonly body: Uint8Array } }>): Promise<number[]> {
  const sizes: number[] = []
  for await (const { payload } of answers) sizes.push(payload.body.length)
  return sizes
}

function codeOf(error: unknown): string {
  assert.ok(error instanceof RpcError, String(error))
  return error.code
}

const noFailure = (): string => 'no failure'

function asError(error: unknown): unknown {
  return error
}

function assertFailure(failure: unknown, code: string, message: string): void {
  assert.ok(failure instanceof RpcError, 'it did not fail')
  assert.deepEqual([failure.code, failure.message], [code, message])
}

/** A stream of requests that is written to one by one. */
class Pings<T = OutputRequest> implements AsyncIterable<T> {
  private readonly waiting: T[] = []
  private wake: () => void = () => {}
  private isEnded = false

  send(one: T): void {
    this.waiting.push(one)
    this.wake()
  }

  end(): void {
    this.isEnded = true
    this.wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.waiting.shift()
      if (next !== undefined) yield next
      else if (this.isEnded) return
      else {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
      }
    }
  }
}
