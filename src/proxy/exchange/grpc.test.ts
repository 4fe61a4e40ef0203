/** gRPC through the proxy: failures as statuses, deadlines that travel, UNAVAILABLE. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseGrpcTimeout } from '../../wire/grpc/index.ts'
import { withGrpcTimeout } from './grpc.ts'
import type { Sent } from './testing/exchange-ground.ts'
import { finish, onGround, post } from './testing/on-ground.ts'

describe('gRPC', () => {
  const grpc = (fields: string[] = []) => ({
    ...post(),
    version: '2' as const,
    fields: ['content-type', 'application/grpc+proto', ...fields],
  })
  const fieldsOf = (sent: Sent) => [sent.responder.head!.status, sent.responder.head!.get('grpc-status')]
  const options = { protocol: 'http2' as const }

  it('failures are trailers-only responses', () =>
    onGround(
      { match: { path: { type: 'exact', value: '/s/m' } } },
      (ground) => {
        const unknown = ground.request(grpc())
        assert.deepEqual(fieldsOf(unknown), [200, '12'])
        finish(unknown)
        const refused = ground.request({ ...grpc(), target: '/s/m' })
        assert.deepEqual(ground.calls[0]!.request.fields.slice(-2), ['te', 'trailers'])
        ground.calls[0]!.fails('connect-refused')
        assert.deepEqual(fieldsOf(refused), [200, '14'])
        finish(refused)
      },
      options,
    ))

  it('to a server of HTTP/1.1 fails with the cause and the cure', () =>
    onGround({ retry: { attemptsMax: 1 } }, (ground) => {
      const messages = [
        (call: number) => ground.calls[call]!.begins(404, false, ['content-type', 'text/html']),
        (call: number) => ground.calls[call]!.begins(200, true),
        (call: number) => ground.calls[call]!.fails('closed-before-response'),
      ].map((answer, call) => {
        const sent = ground.request({ ...grpc(), bodyLength: 0 })
        answer(call)
        assert.deepEqual(fieldsOf(sent), [200, '12'])
        finish(sent)
        return sent.responder.head!.get('grpc-message')
      })
      for (const message of messages) assert.match(String(message), /HTTP\/1\.1.*set protocol: http2/)
      assert.match(String(ground.log()[0]!['error']), /got 404/)
      // A server that speaks it all the same is let be.
      const sent = ground.request({ ...grpc(), bodyLength: 0 })
      ground.calls[3]!.begins(200, true, ['content-type', 'application/grpc', 'grpc-status', '0'])
      assert.deepEqual(fieldsOf(sent), [200, '0'])
      finish(sent)
    }))

  it('a server that keeps the deadline too may be the first to end the call', () =>
    onGround(
      {},
      (ground) => {
        const early = ground.request(grpc(['grpc-timeout', '105m']))
        ground.time.advance(104)
        ground.calls[0]!.fails('closed-before-response')
        const late = ground.request(grpc(['grpc-timeout', '105m']))
        ground.time.advance(105)
        assert.equal(late.responder.head, undefined, 'the wheel has not turned yet')
        ground.calls[1]!.fails('closed-before-response')
        assert.deepEqual(
          [fieldsOf(early), fieldsOf(late)],
          [
            [200, '14'],
            [200, '4'],
          ],
        )
        finish(early)
        finish(late)
        const endpoints = ground.upstreams.get('app')!.upstream.view().endpoints
        assert.deepEqual(
          endpoints.map((each) => each.failures),
          [1],
        )
      },
      { ...options, upstreams: { app: ['a'] } },
    ))

  it('deadlines travel: the rest of the time is sent on, and past it the call ends', () =>
    onGround(
      { retry: { attemptsMax: 2, nonIdempotent: true, on: ['503'] } },
      (ground) => {
        const sent = ground.request(grpc(['grpc-timeout', '1S']))
        ground.time.advance(400)
        ground.calls[0]!.begins(200, true, ['grpc-status', '14'])
        const { fields } = ground.calls[1]!.request
        assert.equal(fields[fields.indexOf('grpc-timeout') + 1], '600000u')
        ground.time.advance(620)
        assert.deepEqual([...fieldsOf(sent), ground.calls[1]!.isAborted], [200, '4', true])
        finish(sent)
        const endpoints = ground.upstreams.get('app')!.upstream.view().endpoints
        assert.deepEqual(
          endpoints.map((each) => each.failures),
          [1, 0, 0],
        )
      },
      options,
    ))

  it('deadlines that travel have at most eight digits, and never promise more time than there is', () => {
    for (const remainingMs of [0, 0.5, 99_999.999, 100_000, 99_999_999, 100_000_000, 3e11]) {
      const [, value] = withGrpcTimeout(['grpc-timeout', '1H'], remainingMs)
      assert.match(value!, /^\d{1,8}[umS]$/)
      const timeoutMs = parseGrpcTimeout(value!) as number
      assert.ok(timeoutMs > 0 && timeoutMs <= Math.max(0.001, remainingMs), `${value} of ${remainingMs}`)
      assert.ok(timeoutMs > Math.min(remainingMs, 99_999_999_000) * 0.999, `${value} of ${remainingMs}`)
    }
  })

  it('is not tried again after UNAVAILABLE unless the route allows it', () =>
    onGround(
      { retry: { attemptsMax: 2, on: ['503'] } },
      (ground) => {
        const sent = ground.request(grpc())
        ground.calls[0]!.begins(200, true, ['grpc-status', '14'])
        assert.deepEqual([...fieldsOf(sent), ground.calls.length], [200, '14', 1])
        finish(sent)
      },
      options,
    ))

  it('a response that breaks off ends with a status', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request(grpc())
        ground.calls[0]!.begins(200)
        ground.calls[0]!.fails('broken-response')
        assert.deepEqual(sent.responder.trailers?.slice(0, 2), ['grpc-status', '14'])
        finish(sent)
      },
      options,
    ))

  it('UNAVAILABLE in the trailers counts against the endpoint', () =>
    onGround(
      {},
      (ground) => {
        const sent = ground.request(grpc())
        ground.calls[0]!.begins(200)
        ground.calls[0]!.ends(['grpc-status', '14'])
        finish(sent)
        assert.equal(ground.upstreams.get('app')!.upstream.view().endpoints[0]!.failures, 1)
      },
      options,
    ))
})
