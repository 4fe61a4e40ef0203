/**
 * A service as all three kinds of RPC see it: named methods with a shape and codecs. `grpc/` makes one from generated
 * descriptors, `thrift/` from generated Thrift services, `typed/` from an object of functions with validators. Calls go
 * through one path (`calls/`), so discovery, balancing, deadlines, retries, limits and tracing are written once.
 */

export type MethodKind = 'unary' | 'server-streaming' | 'client-streaming' | 'bidi-streaming'

/**
 * Between a message and its bytes. `decode` throws on what is not one, and `encode` on what cannot be sent.
 * `Init` is what a program may give where it sends a `T`: a partial message, or a schema's input.
 */
export interface Codec<T, Init = T> {
  encode(message: Init): Uint8Array
  /** `bytes` are a view of received memory that stays unchanged: copy what is kept for long. */
  decode(bytes: Uint8Array): T
}

/** One method: its name on the wire, its shape, and how its messages become bytes. */
export interface Method<
  Request = unknown,
  Response = unknown,
  Kind extends MethodKind = MethodKind,
  RequestInit = Request,
  ResponseInit = Response,
> {
  /** As in the interface definition: `PlaceOrder`. */
  readonly name: string
  readonly kind: Kind
  readonly request: Codec<Request, RequestInit>
  readonly response: Codec<Response, ResponseInit>
  /** May be sent again when its fate is unknown. */
  readonly isIdempotent: boolean
  /** What clients and servers compare, where both have it: see `contract.ts`. */
  readonly contract?: string | undefined
}

/** Methods by the name that programs call them by: `placeOrder`. */
export type ServiceMethods = Readonly<Record<string, Method>>

/** An interface that servers implement and clients call. */
export interface Service<Methods extends ServiceMethods = ServiceMethods> {
  /** Full name: `shop.v1.Orders`. */
  readonly name: string
  readonly methods: Methods
  /** How messages are written, where the transport tells: gRPC's `application/grpc+json`. Default `proto`. */
  readonly encoding?: string | undefined
  /** Serialized FileDescriptorProtos of the service and of all that they import, for reflection. */
  readonly files?: readonly Uint8Array[] | undefined
}
