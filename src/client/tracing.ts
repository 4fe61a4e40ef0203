/**
 * Spans for host programs that have OpenTelemetry, by its API's own registry: `@opentelemetry/api` 1.x keeps its global
 * providers under this symbol, so nothing is imported and nothing is paid where it is absent.
 */

const openTelemetryGlobal = Symbol.for('opentelemetry.js.api.1')
const statusError = 2
const kindClient = 2

interface Span {
  setAttribute(name: string, value: string | number | boolean): unknown
  setStatus(status: { code: number; message?: string }): unknown
  recordException(error: unknown): unknown
  end(): void
}

interface OpenTelemetryGlobal {
  readonly trace?: {
    getTracer(name: string): { startSpan(name: string, options: object): Span }
  }
}

/** The names and values that a span carries. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

export interface Tracing {
  /** Runs `work` inside a span `synod.NAME`, which fails when `work` does. */
  span<T>(name: string, attributes: SpanAttributes, work: () => Promise<T>): Promise<T>
}

/** Follows what the host program has registered at the time of each call. `engine` goes into every span. */
export function hostTracing(engine: string): Tracing {
  return {
    span(name, attributes, work) {
      const { trace } = (globalThis as { [openTelemetryGlobal]?: OpenTelemetryGlobal })[openTelemetryGlobal] ?? {}
      if (trace === undefined) return work()
      const span = trace
        .getTracer('synod')
        .startSpan(`synod.${name}`, { kind: kindClient, attributes: { 'synod.engine': engine, ...attributes } })
      return inside(span, work)
    },
  }
}

async function inside<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    span.recordException(error)
    span.setStatus({ code: statusError, message: error instanceof Error ? error.message : String(error) })
    const { code } = error as { code?: unknown }
    if (typeof code === 'string') span.setAttribute('synod.error_code', code)
    throw error
  } finally {
    span.end()
  }
}
