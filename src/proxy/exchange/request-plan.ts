/**
 * What is decided about a request by its head, its connection and the configuration alone: route, fields to send, answer.
 * Kept in `RequestHead.memo`, so that a connection which sees the same head again pays for it once.
 *
 * - P1  A plan is used only while `listener` and `client` are the same objects. It holds nothing that may differ between
 *       two requests with the same head: those decisions (endpoint, split, limits, ids) are the exchange's.
 * - P2  The same plan and target yield the same `OutgoingRequest` object, with the same `fields`, as long as the fields
 *       depend on nothing else: protocols keep their encoded form by it.
 */
import type { LogCache } from '../access-log/index.ts'
import {
  acceptedRequestId,
  appendForwardedFields,
  clientAddress,
  isForwardedField,
  requestIdField,
} from '../forwarded/index.ts'
import type { ClientInfo, Fields, OutgoingRequest, RequestHead } from '../http/index.ts'
import {
  applyEdits,
  type CanonicalPath,
  canonicalPath,
  escapedPath,
  expandTemplate,
  hostName,
  queryStart,
  rewritePath,
  type TemplateValues,
  withQuery,
} from '../routing/index.ts'
import type { Answer, FailureKind } from './answers.ts'
import type { ActiveRoute, CompiledListener } from './compiled-listener.ts'
import { grpcTimeoutMs, isGrpcRequest } from './grpc.ts'
import { forwardsLeft, maxForwardsField } from './max-forwards.ts'
import type { ProxyUpstream } from './proxy-upstream.ts'

/** Tells the id of one request; made at the first question. */
export interface IdSource {
  readonly requestId: string
}

const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'])

export class RequestPlan {
  readonly listener: CompiledListener
  readonly client: ClientInfo
  readonly head: RequestHead
  /** Undefined exactly when `refusal` is set. */
  readonly route: ActiveRoute | undefined
  readonly refusal: FailureKind | undefined
  readonly clientAddress: string
  readonly isGrpc: boolean
  /** An HTTP/1.1 client that said so: trailers reach it only behind a body that is chunked. */
  readonly wantsTrailers: boolean
  /** See {@link forwardsLeft}. */
  readonly forwardsLeft: number | undefined
  /** RFC 9110 §9.2.2. */
  readonly isIdempotent: boolean
  /** Infinite: the client set no deadline. */
  readonly grpcTimeoutMs: number
  /** As the client sent it; empty: none that is fit for logs, or none is taken from clients. */
  readonly requestId: string
  readonly path: CanonicalPath
  readonly logCache: LogCache = { front: undefined, middle: undefined, back: undefined }
  /** The answer of a route that does not forward, as made for that date. */
  answer: { readonly date: string; readonly answer: Answer } | undefined
  private readonly groups: readonly (string | undefined)[] | undefined
  private readonly outgoing = new Map<ProxyUpstream, OutgoingRequest>()
  private fields: Fields | undefined
  private templateValues: TemplateValues | undefined

  constructor(listener: CompiledListener, client: ClientInfo, head: RequestHead) {
    this.listener = listener
    this.client = client
    this.head = head
    this.clientAddress = clientAddress(client.address, head.fields, listener.trusted)
    this.isGrpc = isGrpcRequest(head)
    this.wantsTrailers = head.version === '1.1' && head.get('te') === 'trailers'
    this.forwardsLeft = forwardsLeft(head)
    this.isIdempotent = idempotentMethods.has(head.method)
    this.grpcTimeoutMs = this.isGrpc ? grpcTimeoutMs(head) : Number.POSITIVE_INFINITY
    this.requestId = listener.config.requestIds === 'replace' ? '' : (acceptedRequestId(head.get(requestIdField)) ?? '')
    const path = pathOf(head)
    this.path = path ?? noPath
    const found =
      path === undefined || isRefusedMethod(head.method)
        ? undefined
        : listener.table.find(head, hostName(head.authority), path.matched)
    this.route = found === undefined ? undefined : listener.routes[found.route.order]
    this.groups = found?.groups
    if (isRefusedMethod(head.method)) this.refusal = 'method'
    else if (path === undefined) this.refusal = 'bad-path'
    else this.refusal = found === undefined ? 'not-found' : undefined
  }

  isFor(listener: CompiledListener, client: ClientInfo): boolean {
    return this.listener === listener && this.client === client
  }

  /** What the variables of templates stand for. */
  get values(): TemplateValues {
    const { head, client, path } = this
    this.templateValues ??= {
      clientAddress: this.clientAddress,
      scheme: head.scheme,
      authority: head.authority,
      host: hostName(head.authority),
      localPort: client.localPort,
      isTls: client.tls !== undefined,
      clientCertificate: client.tls?.clientCertificate,
      method: head.method,
      target: path === asterisk ? '/' : head.target,
      path: path.escaped,
      query: head.target.slice(queryStart(head.target) + 1),
      requestId: this.requestId,
      groups: this.groups,
    }
    return this.templateValues
  }

  /** The same for a request whose client sent no id. */
  valuesOf(ids: IdSource): TemplateValues {
    return { ...this.values, requestId: ids.requestId }
  }

  /** The request as `upstream` gets it. Only for a plan with a route. */
  outgoingTo(upstream: ProxyUpstream, ids: IdSource): OutgoingRequest {
    if (this.carriesNewId(this.route!))
      return this.makeOutgoing(upstream, this.route!, this.makeFields(this.route!, ids))
    let outgoing = this.outgoing.get(upstream)
    if (outgoing === undefined) {
      this.fields ??= this.makeFields(this.route!, undefined)
      outgoing = this.makeOutgoing(upstream, this.route!, this.fields)
      this.outgoing.set(upstream, outgoing)
    }
    return outgoing
  }

  /** Whether the fields hold an id that is another for each request. */
  private carriesNewId(route: ActiveRoute): boolean {
    if (this.requestId !== '') return false
    return this.listener.config.requestIds !== 'pass' || route.compiled.requestEdits.usesRequestId
  }

  private makeOutgoing(upstream: ProxyUpstream, route: ActiveRoute, fields: Fields): OutgoingRequest {
    const { head } = this
    const { host } = route.compiled
    const authority = host === undefined ? head.authority : expandTemplate(host, this.values)
    const isHttp2 = upstream.config.protocol === 'http2'
    return {
      method: head.method,
      target: this.targetOf(route),
      scheme: upstream.config.tls === undefined ? 'http' : 'https',
      // An HTTP/1.0 client may send no host; an upstream wants one (RFC 9112 §3.2).
      authority: authority === '' ? upstream.name : authority,
      fields: isHttp2 && this.isGrpc ? withTrailersAccepted(fields) : fields,
      bodyLength: head.bodyLength,
      // HTTP/2 has no upgrades (RFC 9113 §8.6); the field may be ignored by whoever does not know the protocol.
      upgrade: isHttp2 ? undefined : head.upgrade,
      // The proxy has answered the client itself: the body comes without waiting.
      expectsContinue: false,
      memo: undefined,
    }
  }

  /** `ids`: undefined where no id is needed but the client's. */
  private makeFields(route: ActiveRoute, ids: IdSource | undefined): Fields {
    const { head, listener, client } = this
    const { forwardedHeaders } = listener.config
    const out: string[] = []
    for (let i = 0; i < head.fields.length; i += 2) {
      const name = head.fields[i]!
      if (name === 'expect' || this.isReserved(route, name)) continue
      if (name === requestIdField && this.requestId === '') continue
      const isCounted = name === maxForwardsField && this.forwardsLeft !== undefined
      out.push(name, isCounted ? String(this.forwardsLeft - 1) : head.fields[i + 1]!)
    }
    appendForwardedFields(out, forwardedHeaders, head, client, listener.trusted)
    const { requestEdits } = route.compiled
    if (ids !== undefined && listener.config.requestIds !== 'pass') out.push(requestIdField, ids.requestId)
    if (requestEdits.isEmpty) return out
    return applyEdits(out, requestEdits, ids === undefined ? this.values : this.valuesOf(ids))
  }

  /**
   * The trailers that go upstream, where some servers count them among the header fields (RFC 9110 §6.5.1 would not have
   * it): without those that the proxy itself decides on. `trailers` itself when nothing is taken out.
   */
  trailersFor(trailers: Fields | undefined): Fields | undefined {
    const { route } = this
    if (trailers === undefined || route === undefined) return trailers
    const kept: string[] = []
    for (let i = 0; i < trailers.length; i += 2) {
      const name = trailers[i]!
      if (headOnly.has(name) || this.isReserved(route, name) || isEdited(route, name)) continue
      kept.push(name, trailers[i + 1]!)
    }
    return kept.length === trailers.length ? trailers : kept
  }

  /**
   * Whether no client may send the field. A low line counts as a hyphen: CGI and all that followed it (RFC 3875 §4.1.18)
   * cannot tell `X_Forwarded_For` from the proxy's own field.
   */
  private isReserved(route: ActiveRoute, name: string): boolean {
    if (isForwardedField(name)) return true
    if (!name.includes('_')) return false
    const hyphened = name.replaceAll('_', '-')
    return isForwardedField(hyphened) || framingFields.has(hyphened) || isEdited(route, hyphened)
  }

  private targetOf(route: ActiveRoute): string {
    const { head, path } = this
    const { target } = head
    if (path === asterisk) return target
    const replacement = route.config.rewrite.path
    if (replacement === undefined && path.forwarded.length === target.length) return target
    const query = target.slice(queryStart(target))
    if (replacement === undefined) return path.forwarded + query
    const { pattern, config } = route.compiled
    return withQuery(escapedPath(rewritePath(replacement, config.match.path, pattern, path, this.groups)), query)
  }
}

/** Of one message on one connection: by their proper names they never get here. */
const framingFields: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'host', 'connection'])
/** What a server might obey wherever it stands, and HTTP/2 lets through in trailers. */
const headOnly: ReadonlySet<string> = new Set([
  ...framingFields,
  'authorization',
  'proxy-authorization',
  'cookie',
  'expect',
  'te',
  'trailer',
])

function isEdited(route: ActiveRoute, name: string): boolean {
  return route.compiled.requestEdits.dropped.has(name)
}

const noPath: CanonicalPath = { matched: '', escaped: '', forwarded: '' }
/**
 * `OPTIONS *` asks about the server as a whole (RFC 9110 §9.3.7): it takes the way of `/`, as its target URI has an empty path
 * (RFC 9112 §3.3), and reaches the server as it came (§3.2.4).
 */
const asterisk: CanonicalPath = { matched: '/', escaped: '/', forwarded: '*' }

function pathOf(head: RequestHead): CanonicalPath | undefined {
  return head.target === '*' && head.method === 'OPTIONS' ? asterisk : canonicalPath(head.target)
}

/** CONNECT would make this an open proxy; TRACE gives fields back that were meant for the upstream alone. */
function isRefusedMethod(method: string): boolean {
  return method === 'CONNECT' || method === 'TRACE'
}

/** gRPC servers may insist on `te: trailers`, which ended at this hop as all of `te` does. */
function withTrailersAccepted(fields: Fields): Fields {
  return fields.includes('te') ? fields : [...fields, 'te', 'trailers']
}
