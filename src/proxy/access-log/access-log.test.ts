import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Clock, Scheduler } from '../../runtime/index.ts'
import { headOf } from '../routing/testing/routes.ts'
import { commonLogTime, isoSeconds } from './civil-time.ts'
import { AccessLog, type AccessRecord, imfFixdate, TextOfSecond } from './index.ts'

const nowMs = Date.UTC(2026, 10, 21, 14, 5, 9, 7)

function recordWith(parts: Partial<AccessRecord> = {}): AccessRecord {
  return {
    head: headOf({ target: '/a?b=c', fields: ['user-agent', 'curl/8', 'referer', 'http://x/'] }),
    client: { address: '10.0.0.1', port: 1, localPort: 80, tls: undefined, listener: 'web' },
    clientAddress: '203.0.113.9',
    status: 200,
    bodyBytesSent: 12,
    durationMs: 1.23456,
    upstreamAddress: '127.0.0.1:9000',
    upstreamDurationMs: 1.0004,
    attempts: 2,
    routeName: 'shop',
    requestId: 'id-1',
    failure: '',
    error: '',
    logCache: { front: undefined, middle: undefined, back: undefined },
    ...parts,
  }
}

function openLog(format: 'combined' | 'json') {
  const pieces: string[] = []
  const timers: { ms: number; run: () => void }[] = []
  const clock: Clock = { wallMs: () => nowMs, monotonicMs: () => 0 }
  const scheduler: Scheduler = {
    setTimer: (ms, run) => {
      timers.push({ ms, run })
      return { cancel: () => {} }
    },
    endOfTurn: () => assert.fail('not used'),
  }
  const log = new AccessLog({
    format,
    clock,
    scheduler,
    sink: { append: (bytes) => pieces.push(Buffer.from(bytes).toString('latin1')) },
  })
  return { log, pieces, timers }
}

function lineOf(format: 'combined' | 'json', record: AccessRecord): string {
  const { log, pieces } = openLog(format)
  log.log(record)
  log.flush()
  return pieces.join('')
}

describe('the combined format', () => {
  it('is as nginx writes it', () => {
    assert.equal(
      lineOf('combined', recordWith()),
      '203.0.113.9 - - [21/Nov/2026:14:05:09 +0000] "GET /a?b=c HTTP/1.1" 200 12 "http://x/" "curl/8"\n',
    )
  })

  it('escapes, and tells what is missing', () => {
    const head = headOf({ version: '2', target: '/"\\\u00e9', fields: ['user-agent', 'a"b\tc'] })
    assert.equal(
      lineOf('combined', recordWith({ head, status: 0 })),
      '203.0.113.9 - - [21/Nov/2026:14:05:09 +0000] "GET /\\x22\\x5C\\xE9 HTTP/2.0" 000 12 "-" "a\\x22b\\x09c"\n',
    )
    assert.equal(
      lineOf('combined', recordWith({ head: undefined, status: 400, bodyBytesSent: 0 })),
      '203.0.113.9 - - [21/Nov/2026:14:05:09 +0000] "" 400 0 "-" "-"\n',
    )
  })

  it('is one line of ASCII with the same number of quotes, whatever is sent', () => {
    const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)) })
    fc.assert(
      fc.property(bytes, bytes, bytes, (target, agent, address) => {
        const head = headOf({ target, fields: ['user-agent', agent] })
        const line = lineOf('combined', recordWith({ head, clientAddress: address }))
        assert.match(line, /^[\x20-\x7e]+\n$/)
        assert.equal(line.split('"').length, 7)
      }),
    )
  })
})

describe('the JSON format', () => {
  it('has every field', () => {
    assert.deepEqual(JSON.parse(lineOf('json', recordWith({ failure: 'connect-refused', error: 'say "no"' }))), {
      time: '2026-11-21T14:05:09.007Z',
      client: '203.0.113.9',
      method: 'GET',
      target: '/a?b=c',
      protocol: 'HTTP/1.1',
      host: 'shop.example',
      referer: 'http://x/',
      userAgent: 'curl/8',
      status: 200,
      bytes: 12,
      durationMs: 1.235,
      upstream: '127.0.0.1:9000',
      upstreamDurationMs: 1,
      attempts: 2,
      route: 'shop',
      requestId: 'id-1',
      failure: 'connect-refused',
      error: 'say "no"',
    })
    assert.equal(JSON.parse(lineOf('json', recordWith({ upstreamDurationMs: -1 }))).upstreamDurationMs, null)
  })

  it('is one line of valid JSON that gives every byte back', () => {
    const bytes = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)) })
    fc.assert(
      fc.property(bytes, bytes, bytes, (target, agent, requestId) => {
        const head = headOf({ target, fields: ['user-agent', agent] })
        const line = lineOf('json', recordWith({ head, requestId }))
        assert.match(line, /^[\x20-\x7e]+\n$/)
        const parsed = JSON.parse(line)
        assert.deepEqual([parsed.target, parsed.userAgent, parsed.requestId], [target, agent, requestId])
      }),
    )
  })
})

describe('the buffer', () => {
  it('is written once for many lines: after 100 ms, or when it is full', () => {
    const { log, pieces, timers } = openLog('combined')
    const line = lineOf('combined', recordWith())
    for (let i = 0; i < 3; i++) log.log(recordWith())
    assert.deepEqual(
      timers.map((each) => each.ms),
      [100],
    )
    assert.deepEqual(pieces, [])
    timers[0]!.run()
    assert.deepEqual(pieces, [line.repeat(3)])
    const fitting = Math.floor(65_536 / line.length)
    for (let i = 0; i < fitting; i++) log.log(recordWith())
    assert.equal(pieces.length, 1)
    log.log(recordWith())
    assert.equal(pieces[1], line.repeat(fitting))
    log.flush()
    log.flush()
    assert.deepEqual(pieces.slice(2), [line])
    assert.equal(log.lines, 3 + fitting + 1)
  })

  it('cuts a line that does not fit', () => {
    const head = headOf({ target: `/${'x'.repeat(100_000)}` })
    const text = lineOf('combined', recordWith({ head }))
    assert.equal(text.length, 65_536)
    assert.ok(text.endsWith('x\n'))
  })
})

describe('dates', () => {
  it('agree with the platform over eight thousand years', () => {
    fc.assert(
      fc.property(fc.integer({ min: -30_000_000_000, max: 253_000_000_000 }), (seconds) => {
        const date = new Date(seconds * 1_000)
        assert.equal(imfFixdate(seconds * 1_000), date.toUTCString())
        if (seconds >= 0) assert.equal(isoSeconds(seconds * 1_000), date.toISOString().slice(0, 19))
      }),
      { numRuns: 2_000 },
    )
    assert.equal(imfFixdate(784_111_777_000), 'Sun, 06 Nov 1994 08:49:37 GMT')
    assert.equal(commonLogTime(784_111_777_999), '06/Nov/1994:08:49:37 +0000')
  })

  it('are made once a second', () => {
    const times = new TextOfSecond(imfFixdate)
    assert.equal(times.at(784_111_777_001), times.at(784_111_777_999))
    assert.equal(times.at(784_111_778_000), 'Sun, 06 Nov 1994 08:49:38 GMT')
  })
})
