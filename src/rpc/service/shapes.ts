/** What a service looks like to those who call it and to those who implement it. */
import type { CallContext } from './context.ts'
import type { Method, MethodKind, ServiceMethods } from './service.ts'

/** What a method does with a request, by its kind. */
export type Handler<M extends Method> =
  M extends Method<infer Request, unknown, infer Kind, unknown, infer ResponseInit>
    ? MethodKind extends Kind
      ? (request: never, context: CallContext) => unknown
      : Kind extends 'unary'
        ? (request: Request, context: CallContext) => Promise<ResponseInit> | ResponseInit
        : Kind extends 'server-streaming'
          ? (request: Request, context: CallContext) => AsyncIterable<ResponseInit>
          : Kind extends 'client-streaming'
            ? (requests: AsyncIterable<Request>, context: CallContext) => Promise<ResponseInit> | ResponseInit
            : (requests: AsyncIterable<Request>, context: CallContext) => AsyncIterable<ResponseInit>
    : never

/** A service's functions. Methods without one answer `UNIMPLEMENTED`. */
export type Implementation<Methods extends ServiceMethods> = {
  readonly [Name in keyof Methods]?: Handler<Methods[Name]>
}

/** How a method is called, by its kind. One whose kind the types do not know is called with anything. */
export type Caller<M extends Method, Options> =
  M extends Method<unknown, infer Response, infer Kind, infer RequestInit, unknown>
    ? MethodKind extends Kind
      ? (request: unknown, options?: Options) => Promise<unknown> | AsyncIterable<unknown>
      : Kind extends 'unary'
        ? (request: RequestInit, options?: Options) => Promise<Response>
        : Kind extends 'server-streaming'
          ? (request: RequestInit, options?: Options) => AsyncIterable<Response>
          : Kind extends 'client-streaming'
            ? (requests: Requests<RequestInit>, options?: Options) => Promise<Response>
            : (requests: Requests<RequestInit>, options?: Options) => AsyncIterable<Response>
    : never

/** A stream of requests: an array will do. */
export type Requests<RequestInit> = AsyncIterable<RequestInit> | Iterable<RequestInit>

/** A function for each method of a service. */
export type Callers<Methods extends ServiceMethods, Options> = {
  readonly [Name in keyof Methods]: Caller<Methods[Name], Options>
}
