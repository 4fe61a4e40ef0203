/**
 * Services without an interface definition language: an object of methods with validators, in the program's own code.
 * Messages travel as JSON over gRPC (`application/grpc+json`), and both ends check them.
 */
import { contractOf, type Method, type MethodKind, type Service } from '../service/index.ts'
import { fingerprintOf } from './fingerprint.ts'
import { jsonCodec } from './json-codec.ts'
import type { Validator, ValidatorInput, ValidatorOutput } from './validator.ts'

/** What is said of a method. */
export interface MethodContract<Request extends Validator, Response extends Validator> {
  /** A Standard Schema (zod, valibot, arktype, …), or a function that gives the message back or throws. */
  readonly request: Request
  readonly response: Response
  /** May be made again when its fate is unknown. Default false. */
  readonly idempotent?: boolean | undefined
}

/** What else may be said of a service. */
export interface DefinedServiceOptions {
  /**
   * Must be equal at both ends: change it with what old clients, or old servers, would misunderstand though it fits. At
   * most 64 of A-Z, a-z, 0-9, `_`, `.` and `-`. Default: empty.
   */
  readonly version?: string | undefined
}

/** A method before its service names it. */
export interface MethodDefinition<Request extends Validator, Response extends Validator, Kind extends MethodKind>
  extends MethodContract<Request, Response> {
  readonly kind: Kind
}

type AnyDefinition = MethodDefinition<Validator, Validator, MethodKind>

/** The methods of a definition, typed by its validators. */
export type DefinedMethods<Definitions extends Readonly<Record<string, AnyDefinition>>> = {
  readonly [Name in keyof Definitions]: Definitions[Name] extends MethodDefinition<
    infer Request,
    infer Response,
    infer Kind
  >
    ? Method<
        ValidatorOutput<Request>,
        ValidatorOutput<Response>,
        Kind,
        ValidatorInput<Request>,
        ValidatorInput<Response>
      >
    : never
}

/** One request, one answer. */
export function unary<Request extends Validator, Response extends Validator>(
  contract: MethodContract<Request, Response>,
): MethodDefinition<Request, Response, 'unary'> {
  return { ...contract, kind: 'unary' }
}

/** One request, any number of answers. */
export function serverStreaming<Request extends Validator, Response extends Validator>(
  contract: MethodContract<Request, Response>,
): MethodDefinition<Request, Response, 'server-streaming'> {
  return { ...contract, kind: 'server-streaming' }
}

/** Any number of requests, one answer. */
export function clientStreaming<Request extends Validator, Response extends Validator>(
  contract: MethodContract<Request, Response>,
): MethodDefinition<Request, Response, 'client-streaming'> {
  return { ...contract, kind: 'client-streaming' }
}

/** Any number of both, independent of each other. */
export function bidiStreaming<Request extends Validator, Response extends Validator>(
  contract: MethodContract<Request, Response>,
): MethodDefinition<Request, Response, 'bidi-streaming'> {
  return { ...contract, kind: 'bidi-streaming' }
}

/**
 * Defines a service. What a client sends is checked before it leaves (`INVALID_ARGUMENT`, nothing is sent) and by the server
 * before the handler runs (`INVALID_ARGUMENT`); what a handler answers is checked at both ends (`INTERNAL`). A handler gets
 * what the validator makes of the message, defaults and transformations included; so does the caller. Messages must be what
 * JSON can say, and validators must not wait.
 *
 * Both ends also compare their contracts: a method of another kind, or of another `version`, is refused with
 * `FAILED_PRECONDITION`. Schemas may differ, so that servers and clients can be deployed one after the other; but a request
 * that does not fit is `FAILED_PRECONDITION`, and says so, where they do (and can be told: zod's and others' describe
 * themselves).
 *
 * @example
 * const orders = defineService('orders', {
 *   place: unary({ request: z.object({ item: z.string() }), response: z.object({ id: z.string() }) }),
 *   watch: serverStreaming({ request: z.object({ id: z.string() }), response: orderSchema, idempotent: true }),
 * })
 */
export function defineService<const Definitions extends Readonly<Record<string, AnyDefinition>>>(
  name: string,
  definitions: Definitions,
  options: DefinedServiceOptions = {},
): Service<DefinedMethods<Definitions>> {
  const { version = '' } = options
  const methods: Record<string, Method> = {}
  for (const [key, definition] of Object.entries(definitions)) {
    methods[key] = {
      name: key,
      kind: definition.kind,
      request: jsonCodec(definition.request),
      response: jsonCodec(definition.response),
      isIdempotent: definition.idempotent ?? false,
      contract: contractOf(definition.kind, version, fingerprintOf(definition.request, definition.response)),
    }
  }
  return {
    name,
    methods: methods as unknown as DefinedMethods<Definitions>,
    encoding: 'json',
  }
}
