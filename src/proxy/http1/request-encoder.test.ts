import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'
import type { OutgoingRequest } from '../http/index.ts'
import { writeRequestHead } from './request-encoder.ts'
import { flusherOf, TurnOutput } from './turn-output.ts'

const { scheduler } = createNodeRuntime({ logLevel: 'error' })

/** What is written for each of `requests`. */
function written(requests: readonly OutgoingRequest[]): string[] {
  const texts: string[] = []
  const connection = {
    queuedBytes: 0,
    write(bytes: Uint8Array) {
      texts.push(Buffer.from(bytes).toString('latin1'))
      return true
    },
  } as unknown as Connection
  const output = new TurnOutput(connection, flusherOf(scheduler))
  for (const request of requests) {
    writeRequestHead(output, request)
    output.flush()
  }
  return texts
}

function get(fields: readonly string[], bodyLength = 0): OutgoingRequest {
  return {
    method: 'GET',
    target: '/',
    scheme: 'http',
    authority: 'a.example',
    fields,
    bodyLength,
    upgrade: undefined,
    expectsContinue: false,
  }
}

test('a request that is sent again has the same octets', () => {
  for (const bodyLength of [0, 5]) {
    const request = get(['accept', '*/*'], bodyLength)
    const texts = written([request, request, request, request])
    const length = bodyLength === 0 ? '' : 'content-length: 5\r\n'
    const expected = `GET / HTTP/1.1\r\nhost: a.example\r\naccept: */*\r\n${length}\r\n`
    assert.deepEqual(texts, [expected, expected, expected, expected])
  }
})

test('a copy with changes is written anew, although it carries the memo of the first', () => {
  const request = get(['x-request-id', '1'])
  written([request, request, request])
  assert.ok(request.memo !== undefined)
  const [text] = written([{ ...request, fields: ['x-request-id', '2'] }])
  assert.match(text!, /x-request-id: 2/)
})
