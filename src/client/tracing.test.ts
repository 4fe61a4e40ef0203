import assert from 'node:assert/strict'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { SpanStatusCode, trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { connect } from './index.ts'

suite('spans, on the real OpenTelemetry API and SDK', () => {
  const exporter = new InMemorySpanExporter()

  beforeEach(() => {
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))
  })
  afterEach(() => {
    trace.disable()
    exporter.reset()
  })

  test('a call gets a span with its engine and name', async () => {
    const synod = await connect('memory:')
    const held = await synod.lock('invoice/42').acquire()
    await held.release()
    await synod.close()
    const span = exporter.getFinishedSpans().find((each) => each.name === 'synod.lock.acquire')
    assert(
      span !== undefined,
      exporter
        .getFinishedSpans()
        .map((each) => each.name)
        .join(),
    )
    assert.equal(span.attributes['synod.engine'], 'embedded')
    assert.equal(span.attributes['synod.name'], 'invoice/42')
    assert.equal(span.status.code, SpanStatusCode.UNSET)
  })

  test('a call that fails tells its code', async () => {
    const synod = await connect('memory:')
    const held = await synod.lock('busy').acquire()
    await assert.rejects(synod.lock('busy').acquire({ waitMs: 20 }), { code: 'TIMEOUT' })
    await held.release()
    await synod.close()
    const failed = exporter.getFinishedSpans().filter((each) => each.status.code === SpanStatusCode.ERROR)
    assert.deepEqual(
      failed.map(({ name, attributes }) => [name, attributes['synod.error_code']]),
      [['synod.lock.acquire', 'TIMEOUT']],
    )
  })

  test('without a provider nothing is paid and nothing breaks', async () => {
    trace.disable()
    const synod = await connect('memory:')
    await synod.lock('x').run({}, () => {})
    await synod.close()
    assert.deepEqual(exporter.getFinishedSpans(), [])
  })
})
