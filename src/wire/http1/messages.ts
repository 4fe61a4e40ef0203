/** A request, complete with its body. */
export interface Http1Request {
  readonly method: 'GET' | 'HEAD' | 'POST'
  /** As sent, percent-encoding untouched, without the query. Begins with `/`. */
  readonly path: string
  readonly query: URLSearchParams
  /** Values by lower-case name; repeated headers are joined with `, `. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: Uint8Array
}

/** Sends a body whose length is not known when it begins. */
export interface Http1BodyStream {
  /** False when the client lags: wait for `onDrain`. The bytes must not be changed afterwards. */
  write(chunk: Uint8Array | string): boolean
  end(): void
  /** The client lags no longer. */
  onDrain(callback: () => void): void
  /** The connection is gone before `end`. */
  onCancel(callback: () => void): void
}

/** A response. `Content-Length`, `Transfer-Encoding` and `Connection` are the server's to set. */
export interface Http1Response {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text (as UTF-8), bytes, or a function that streams them. Default: empty. */
  readonly body?: Uint8Array | string | ((stream: Http1BodyStream) => void)
}

/** Answers one request. A rejected promise becomes status 500. */
export type Http1Handler = (request: Http1Request) => Http1Response | Promise<Http1Response>

/** Handlers by path. A path that ends in `/*` serves everything below it; the longest match wins. */
export type Http1Routes = Readonly<Record<string, Http1Handler>>

/** The methods that handlers see; the others get status 405. */
export function isServedMethod(method: string): method is Http1Request['method'] {
  return method === 'GET' || method === 'HEAD' || method === 'POST'
}

/** A response that says its status and no more. */
export function plainResponse(status: number, headers: Readonly<Record<string, string>> = {}): Http1Response {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', ...headers },
    body: `${status} ${reasonPhrases[status] ?? 'Status'}\n`,
  }
}

export const reasonPhrases: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
}
