import type { ImplementedService, ServiceHandler } from '../server/index.ts'
import type { CallContext, Method, Service } from '../service/index.ts'
import {
  type ArgumentsOf,
  type GeneratedService,
  type MethodNames,
  methodNamesOf,
  type ResultOf,
} from './generated-service.ts'
import type { ThriftProtocolName } from './protocols.ts'
import {
  answerCodec,
  argumentsCodec,
  isOneway,
  onewayAnswerCodec,
  replyCodec,
  requestCodec,
  type ThriftRequest,
} from './thrift-codecs.ts'

/** What the generated code does not tell of a Thrift service. */
export interface ThriftServiceOptions<Names extends string> {
  /** Of the service: for discovery, limits and traces, and before the colon of multiplexed method names. */
  readonly name: string
  /** How clients of it write. Servers read both. Default `binary`. */
  readonly protocol?: ThriftProtocolName | undefined
  /** Methods that may be sent again when the fate of a call is unknown. Default: none. */
  readonly idempotent?: readonly Names[] | undefined
}

/** A Thrift service: made by {@link thriftService}, taken by clients and servers. */
export interface ThriftService<G extends GeneratedService = GeneratedService> extends Service {
  readonly generated: G
  readonly protocol: ThriftProtocolName
  readonly oneway: ReadonlySet<string>
  /** What servers decode with, by the protocol that a client speaks. */
  readonly served: Readonly<Record<ThriftProtocolName, ReadonlyMap<string, Method>>>
}

/**
 * Describes a service of which Apache Thrift's compiler has generated code (`thrift --gen js:node,ts,es6`, with the `thrift`
 * package as its run time).
 *
 * @example
 * const inventory = thriftService(require('./gen-nodejs/Inventory.js') as typeof import('./gen-nodejs/Inventory.js'), {
 *   name: 'Inventory', idempotent: ['get', 'all'],
 * })
 */
export function thriftService<G extends GeneratedService>(
  generated: G,
  options: ThriftServiceOptions<MethodNames<G>>,
): ThriftService<G> {
  const { name, protocol = 'binary', idempotent = [] } = options
  const names = methodNamesOf(generated)
  for (const one of idempotent)
    if (!names.includes(one)) throw new TypeError(`${name} has no method ${one}; it has ${names.join(', ')}`)
  const oneway = new Set(names.filter((one) => isOneway(generated, one)))
  const isIdempotent = (one: string): boolean => (idempotent as readonly string[]).includes(one)
  const called = (one: string): Method => ({
    name: one,
    kind: 'unary',
    request: argumentsCodec(generated, one, protocol) as Method['request'],
    response: (oneway.has(one) ? onewayAnswerCodec : answerCodec(generated, one, protocol)) as Method['response'],
    isIdempotent: isIdempotent(one),
  })
  const servedIn = (spoken: ThriftProtocolName): ReadonlyMap<string, Method> =>
    new Map(
      names.map((one) => [
        one,
        {
          name: one,
          kind: 'unary',
          request: requestCodec(generated, one, spoken) as Method['request'],
          response: replyCodec as Method['response'],
          isIdempotent: isIdempotent(one),
        },
      ]),
    )
  return {
    name,
    methods: Object.fromEntries(names.map((one) => [one, called(one)])),
    encoding: protocol,
    generated,
    protocol,
    oneway,
    served: { binary: servedIn('binary'), compact: servedIn('compact') },
  }
}

/** The functions of a Thrift service: each takes its arguments as a list. Methods without one answer `UNIMPLEMENTED`. */
export type ThriftImplementation<G extends GeneratedService> = {
  readonly [Name in MethodNames<G>]?: (
    args: ArgumentsOf<G, Name>,
    context: CallContext,
  ) => Promise<ResultOf<G, Name>> | ResultOf<G, Name>
}

/**
 * Joins a Thrift service with the functions that serve it. An exception that the interface declares, thrown by a function,
 * reaches the client as such; anything else as an application exception.
 *
 * @example
 * implementThrift(inventory, { reserve: async ([sku, quantity]) => take(sku, quantity) })
 */
export function implementThrift<G extends GeneratedService>(
  service: ThriftService<G>,
  implementation: ThriftImplementation<G>,
): ImplementedService {
  const handlers = new Map<string, ServiceHandler>()
  type Function = (args: readonly unknown[], context: unknown) => unknown
  for (const name of Object.keys(service.methods)) {
    const handler = (implementation as Readonly<Record<string, Function | undefined>>)[name]?.bind(implementation)
    if (handler !== undefined)
      handlers.set(name, (request, context) => serve(handler, request as ThriftRequest, context))
  }
  return { service, handlers }
}

async function serve(
  handler: (args: readonly unknown[], context: unknown) => unknown,
  request: ThriftRequest,
  context: unknown,
): Promise<unknown> {
  let result: unknown
  try {
    result = await handler(request.args, context)
  } catch (error) {
    const declared = request.replyException(error)
    if (declared === undefined) throw error
    return declared
  }
  return request.reply(result)
}
