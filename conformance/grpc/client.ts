// A thin gRPC client of the etcd v3 API that writes down what it gets: every answer, error and stream end becomes an
// entry of its trace, in order, so that two servers are compared by comparing traces.
import { fileURLToPath } from 'node:url'
import { type ClientDuplexStream, credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

/** A request as the tests write it: keys and values as text, numbers as numbers, enums by name. */
export type Message = { readonly [field: string]: unknown }

/** A decoded answer: only the fields that were sent; 64-bit numbers and bytes as text. */
export type Answer = { readonly [field: string]: unknown }

interface Stub {
  close(): void
  [rpc: string]: unknown
}
type StubClass = new (address: string, creds: unknown, options: object) => Stub

const definition = loadSync('rpc.proto', {
  includeDirs: [fileURLToPath(new URL('.', import.meta.url))],
  keepCase: true,
  longs: String,
  enums: String,
  bytes: Buffer,
})
const api = loadPackageDefinition(definition)['etcdserverpb'] as unknown as Record<string, StubClass>

const serviceOf: Readonly<Record<string, string>> = Object.fromEntries(
  ['KV', 'Lease', 'Cluster', 'Maintenance'].flatMap((service) =>
    Object.keys((definition[`etcdserverpb.${service}`] ?? {}) as object).map((rpc) => [rpc, service]),
  ),
)

const bytesFields = new Set(['key', 'range_end', 'value'])

/** Turns the text of bytes fields into bytes; text is UTF-8, and a Uint8Array passes as it is. */
function encodable(value: unknown, field = ''): unknown {
  if (typeof value === 'string') return bytesFields.has(field) ? Buffer.from(value) : value
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => encodable(item, field))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, encodable(inner, name)]))
}

const hidden = new Set(['cluster_id', 'member_id', 'raft_term'])

/** Bytes as text, long ones by their length; the ids of cluster and member, and the raft term, by their presence only. */
function readable(value: unknown, field = ''): unknown {
  if (hidden.has(field)) return 'set'
  if (Buffer.isBuffer(value)) return value.length > 100 ? `${value.length} bytes` : value.toString('latin1')
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => readable(item, field))
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, readable(inner, name)]))
}

function failure(error: ServiceError): Answer {
  // grpc-js words its own refusals; the server's code and details are what counts.
  return { code: status[error.code], message: error.details }
}

/** A client of one member. */
export class RecordingClient {
  readonly trace: unknown[] = []
  readonly #stubs = new Map<string, Stub>()
  readonly #endpoint: string

  constructor(endpoint: string) {
    this.#endpoint = endpoint
  }

  #stub(service: string): Stub {
    let stub = this.#stubs.get(service)
    if (stub === undefined) {
      stub = new api[service]!(this.#endpoint, credentials.createInsecure(), {
        'grpc.max_receive_message_length': -1,
        'grpc.max_send_message_length': -1,
      })
      this.#stubs.set(service, stub)
    }
    return stub
  }

  /** Calls a unary RPC and records its outcome, after hiding the named fields. */
  async call(rpc: string, request: Message = {}, hide: readonly string[] = []): Promise<Answer> {
    const answer = await this.quietly(rpc, request)
    this.trace.push({ [rpc]: hideFields(answer, hide) })
    return answer
  }

  /** Calls a unary RPC without recording it. */
  quietly(rpc: string, request: Message = {}): Promise<Answer> {
    const stub = this.#stub(serviceOf[rpc]!)
    return new Promise((resolve) => {
      const call = stub[rpc] as (...args: unknown[]) => void
      const deadline = Date.now() + 20_000
      call.call(stub, encodable(request), { deadline }, (error: ServiceError | null, reply: Answer) => {
        resolve(error === null ? (readable(reply) as Answer) : failure(error))
      })
    })
  }

  /** The current revision, by a read that is not recorded. */
  async revision(): Promise<number> {
    const { header } = (await this.quietly('Range', { key: 'the revision' })) as { header: { revision?: string } }
    return Number(header.revision)
  }

  watch(): RecordingStream {
    return this.#stream('Watch', 'Watch')
  }

  keepAlive(): RecordingStream {
    return this.#stream('Lease', 'LeaseKeepAlive')
  }

  #stream(service: string, rpc: string): RecordingStream {
    const stub = this.#stub(service)
    const open = stub[rpc] as () => ClientDuplexStream<unknown, unknown>
    return new RecordingStream(open.call(stub), this.trace, rpc)
  }

  close(): void {
    for (const stub of this.#stubs.values()) stub.close()
  }
}

/** A stream in both directions; what it receives is recorded when the test asks for it. */
export class RecordingStream {
  readonly #call: ClientDuplexStream<unknown, unknown>
  readonly #trace: unknown[]
  readonly #name: string
  readonly #received: Answer[] = []
  #wake: () => void = () => {}

  constructor(call: ClientDuplexStream<unknown, unknown>, trace: unknown[], name: string) {
    this.#call = call
    this.#trace = trace
    this.#name = name
    const receive = (answer: Answer) => {
      this.#received.push(answer)
      this.#wake()
    }
    call.on('data', (message: unknown) => receive(readable(message) as Answer))
    call.on('error', (error: ServiceError) => receive(failure(error)))
    call.on('end', () => receive({ ended: true }))
  }

  send(request: Message): void {
    this.#call.write(encodable(request))
  }

  /** Records the next messages; stops early, for the comparison to show, when they do not come in `timeoutMs`. */
  async next(count: number, hide: readonly string[] = [], timeoutMs = 5_000): Promise<Answer[]> {
    const deadline = Date.now() + timeoutMs
    while (this.#received.length < count && Date.now() < deadline) await this.#arrival(deadline)
    const answers = this.#received.splice(0, count)
    for (const answer of answers) this.#trace.push({ [this.#name]: hideFields(answer, hide) })
    return answers
  }

  /**
   * Records events until there are so many, joined to one list: how a server divides history into messages is a
   * matter of timing.
   */
  async events(count: number, timeoutMs = 5_000): Promise<void> {
    const events: unknown[] = []
    const deadline = Date.now() + timeoutMs
    while (events.length < count && Date.now() < deadline) {
      if (this.#received.length === 0) await this.#arrival(deadline)
      const answer = this.#received.shift()
      if (answer === undefined) continue
      if (Array.isArray(answer['events'])) events.push(...answer['events'])
      else events.push(answer)
    }
    this.#trace.push({ events })
  }

  /** Waits until something arrives, or until the deadline. */
  async #arrival(deadline: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      timer = setTimeout(resolve, Math.max(1, deadline - Date.now()))
    })
    clearTimeout(timer)
  }

  /** Records that nothing more comes for a while. */
  async silence(quietMs = 200): Promise<void> {
    await this.next(100, [], quietMs)
    this.#trace.push('silence')
  }

  /** Ends our direction, and records how the server ends its own. */
  async end(): Promise<void> {
    this.#call.end()
    await this.next(1)
  }

  cancel(): void {
    this.#call.cancel()
  }
}

function hideFields(answer: Answer, hide: readonly string[]): Answer {
  return Object.fromEntries(
    Object.entries(answer).map(([name, value]) => [
      name,
      hide.includes(name)
        ? '<hidden>'
        : typeof value === 'object' && value !== null && !Array.isArray(value)
          ? hideFields(value as Answer, hide)
          : value,
    ]),
  )
}
