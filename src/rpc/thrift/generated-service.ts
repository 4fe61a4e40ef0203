/** What Debian's and Apache's compiler generates for a service (`thrift --gen js:node,ts,es6`), as far as we use it. */
import type * as Thrift from 'thrift'

/** The module of a generated service: `require('./gen-nodejs/Orders.js')`. */
export interface GeneratedService {
  readonly Client: new (output: never, pClass: never) => object
  readonly Processor: new (handler: never) => object
}

/** What the classes take at run time: their declarations say less. */
export function newClient(generated: GeneratedService, output?: unknown, pClass?: unknown): GeneratedClient {
  const { Client } = generated as unknown as {
    readonly Client: new (output: unknown, pClass: unknown) => GeneratedClient
  }
  return new Client(output, pClass)
}

export function newProcessor(generated: GeneratedService, handler: object): GeneratedProcessor {
  const { Processor } = generated as unknown as { readonly Processor: new (handler: object) => GeneratedProcessor }
  return new Processor(handler)
}

/** The generated client, by the names that its compiler makes. */
export interface GeneratedClient {
  _reqs: Record<number, (error: unknown, result?: unknown) => void>
  readonly [name: `send_${string}`]: (...args: readonly unknown[]) => void
  readonly [name: `recv_${string}`]: (input: Thrift.TProtocol, type: number, sequence: number) => void
}

export interface GeneratedProcessor {
  readonly [name: `process_${string}`]: (sequence: number, input: Thrift.TProtocol, output: Thrift.TProtocol) => void
}

type ClientOf<G extends GeneratedService> = InstanceType<G['Client']>

// Of the two overloads of a generated method the last takes a callback, and that is the one TypeScript infers.
type CallbackParameters<F> = F extends (...args: infer All) => unknown ? Required<All> : never

/** The names of a generated service's methods. */
export type MethodNames<G extends GeneratedService> = {
  [Name in keyof ClientOf<G>]: CallbackParameters<ClientOf<G>[Name]> extends readonly [
    ...unknown[],
    (error: never, response: never) => void,
  ]
    ? Name
    : never
}[keyof ClientOf<G>] &
  string

/** A method's arguments, in order. */
export type ArgumentsOf<G extends GeneratedService, Name extends MethodNames<G>> =
  CallbackParameters<ClientOf<G>[Name]> extends readonly [...infer Arguments, unknown] ? Arguments : never

/** What a method returns. */
export type ResultOf<G extends GeneratedService, Name extends MethodNames<G>> =
  CallbackParameters<ClientOf<G>[Name]> extends readonly [...unknown[], (error: never, response: infer Result) => void]
    ? Result
    : never

/** The methods that a generated client has at run time, those of services it extends included. */
export function methodNamesOf(generated: GeneratedService): readonly string[] {
  const names = new Set<string>()
  // With `es6` the compiler makes classes, whose methods cannot be enumerated; without, plain properties.
  for (
    let at: object | null = generated.Client.prototype as object;
    at !== null;
    at = Object.getPrototypeOf(at) as object | null
  )
    for (const key of Object.getOwnPropertyNames(at)) if (key.startsWith('send_')) names.add(key.slice('send_'.length))
  return [...names]
}
