export { type CallSpan, clientSpan, noTrace, serverSpan, type TraceContext, traceOf } from './host-tracing.ts'
