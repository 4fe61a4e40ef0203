/**
 * Spans for host programs that have OpenTelemetry, and W3C Trace Context for all: `traceparent` and `tracestate` travel as
 * metadata (www.w3.org/TR/trace-context, §3.2 and §3.3).
 *
 * `@opentelemetry/api` 1.x keeps its global providers under a registered symbol, so nothing is imported, and nothing is
 * paid where it is absent. Without it a call hands on the `traceparent` of the call that it is made for.
 */

const openTelemetryGlobal = Symbol.for('opentelemetry.js.api.1')
/** Where a context of the API keeps its span: `createContextKey('OpenTelemetry Context Key SPAN')`. */
const spanKey = Symbol.for('OpenTelemetry Context Key SPAN')

const statusError = 2
const kindServer = 1
const kindClient = 2

interface SpanContext {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: number
  readonly traceState?: { serialize(): string } | undefined
  readonly isRemote?: boolean
}

interface Span {
  spanContext(): SpanContext
  setAttribute(name: string, value: string | number | boolean): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(error: unknown): unknown
  end(): void
}

interface OpenTelemetryContext {
  getValue(key: symbol): unknown
  setValue(key: symbol, value: unknown): OpenTelemetryContext
  deleteValue(key: symbol): OpenTelemetryContext
}

interface OpenTelemetryGlobal {
  readonly trace?: {
    getTracer(name: string): { startSpan(name: string, options: object, context?: OpenTelemetryContext): Span }
  }
  readonly context?: {
    active(): OpenTelemetryContext
    with<T>(context: OpenTelemetryContext, work: () => T): T
  }
}

/** Where a call is in a trace, as it travels. */
export interface TraceContext {
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}

/** A call's span: ended once, with what failed. */
export interface CallSpan extends TraceContext {
  /** Runs `work` with the span as the active one of the host program. */
  run<T>(work: () => T): T
  end(error?: unknown): void
}

export const noTrace: TraceContext = { traceparent: undefined, tracestate: undefined }

/** Begins the span of a call that this program makes, as a child of `parent`, or else of what is active. */
export function clientSpan(service: string, method: string, parent: TraceContext): CallSpan {
  return span(kindClient, service, method, parent)
}

/** Begins the span of a call that this program serves, as a child of its client's. */
export function serverSpan(service: string, method: string, parent: TraceContext): CallSpan {
  return span(kindServer, service, method, parent)
}

/** Only what is well formed is taken on. */
export function traceOf(traceparent: unknown, tracestate: unknown): TraceContext {
  if (typeof traceparent !== 'string' || !traceparentForm.test(traceparent)) return noTrace
  return { traceparent, tracestate: typeof tracestate === 'string' ? tracestate : undefined }
}

const traceparentForm = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?$/

function span(kind: number, service: string, method: string, parent: TraceContext): CallSpan {
  const { trace, context } = (globalThis as { [openTelemetryGlobal]?: OpenTelemetryGlobal })[openTelemetryGlobal] ?? {}
  if (trace === undefined) return new PassedOn(parent)
  const around = contextOf(parent, context?.active())
  const attributes = { 'rpc.system': 'synod', 'rpc.service': service, 'rpc.method': method }
  const started = trace.getTracer('synod').startSpan(`${service}/${method}`, { kind, attributes }, around)
  return new HostSpan(started, around ?? new SpanOnly(started), context)
}

/** No spans here: the trace goes on past this program. */
class PassedOn implements CallSpan {
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined

  constructor({ traceparent, tracestate }: TraceContext) {
    this.traceparent = traceparent
    this.tracestate = tracestate
  }

  run<T>(work: () => T): T {
    return work()
  }

  end(): void {}
}

class HostSpan implements CallSpan {
  readonly traceparent: string
  readonly tracestate: string | undefined
  private readonly span: Span
  private readonly inside: OpenTelemetryContext
  private readonly host: OpenTelemetryGlobal['context']

  constructor(started: Span, around: OpenTelemetryContext, host: OpenTelemetryGlobal['context']) {
    const { traceId, spanId, traceFlags, traceState } = started.spanContext()
    this.span = started
    this.inside = around.setValue(spanKey, started)
    this.host = host
    this.traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`
    this.tracestate = traceState?.serialize()
  }

  run<T>(work: () => T): T {
    return this.host === undefined ? work() : this.host.with(this.inside, work)
  }

  end(error?: unknown): void {
    if (error !== undefined) {
      this.span.recordException(error)
      this.span.setStatus({ code: statusError, message: error instanceof Error ? error.message : String(error) })
      const { code } = error as { code?: unknown }
      if (typeof code === 'string') this.span.setAttribute('rpc.status_code', code)
    }
    this.span.end()
  }
}

/** The host's active context, with the span that came from afar in it where there is one. */
function contextOf(
  { traceparent }: TraceContext,
  active: OpenTelemetryContext | undefined,
): OpenTelemetryContext | undefined {
  if (traceparent === undefined) return active
  const [, traceId, spanId, flags] = traceparent.split('-')
  const remote: SpanContext = {
    traceId: traceId!,
    spanId: spanId!,
    traceFlags: Number.parseInt(flags!, 16),
    isRemote: true,
  }
  const standIn = { spanContext: () => remote, isRecording: () => false }
  return active === undefined ? new SpanOnly(standIn) : active.setValue(spanKey, standIn)
}

/** A context for programs whose API has no context manager: it holds values, as the API's own does. */
class SpanOnly implements OpenTelemetryContext {
  private readonly values: ReadonlyMap<symbol, unknown>

  constructor(held: unknown, values: ReadonlyMap<symbol, unknown> = new Map([[spanKey, held]])) {
    this.values = values
  }

  getValue(key: symbol): unknown {
    return this.values.get(key)
  }

  setValue(key: symbol, value: unknown): OpenTelemetryContext {
    return new SpanOnly(undefined, new Map(this.values).set(key, value))
  }

  deleteValue(key: symbol): OpenTelemetryContext {
    const values = new Map(this.values)
    values.delete(key)
    return new SpanOnly(undefined, values)
  }
}
