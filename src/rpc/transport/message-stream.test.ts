import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MessageStream } from './message-stream.ts'

const kib = 1_024

function opened() {
  const heard: string[] = []
  const note = (what: string) => () => void heard.push(what)
  const source = { pause: note('pause'), resume: note('resume'), left: note('left') }
  return { heard, stream: new MessageStream(source, 'answers') }
}

const value = (message: unknown) => ({ done: false, value: message })
const done = { done: true, value: undefined }

describe('a stream of messages', () => {
  it('gives each to the one who waits, and else keeps them in order', async () => {
    const { stream, heard } = opened()
    const waiting = stream.next()
    stream.push('a', 1)
    stream.push('b', 1)
    stream.push('c', 1)
    stream.end()
    assert.deepEqual(await Promise.all([waiting, stream.next(), stream.next(), stream.next()]), [
      value('a'),
      value('b'),
      value('c'),
      done,
    ])
    assert.deepEqual(heard, [])
  })

  it('I1 holds the sender back at 16 messages, until all of them are taken', async () => {
    const { stream, heard } = opened()
    for (let i = 0; i < 15; i++) stream.push(i, 1)
    assert.deepEqual(heard, [])
    stream.push(15, 1)
    assert.deepEqual(heard, ['pause'])
    for (let i = 16; i < 20; i++) stream.push(i, 1)
    for (let i = 0; i < 19; i++) assert.deepEqual(await stream.next(), value(i))
    assert.deepEqual(heard, ['pause'])
    assert.deepEqual(await stream.next(), value(19))
    assert.deepEqual(heard, ['pause', 'resume'])
  })

  it('I1 holds the sender back past 1 MiB, counted anew from an empty queue', async () => {
    const { stream, heard } = opened()
    stream.push('a', 600 * kib)
    await stream.next()
    stream.push('b', 600 * kib)
    assert.deepEqual(heard, [])
    stream.push('c', 600 * kib)
    assert.deepEqual(heard, ['pause'])
  })

  it('I2 has one reader at a time', async () => {
    const { stream } = opened()
    const first = stream.next()
    await assert.rejects(stream.next(), /the answers are read by two readers at once/)
    stream.push('a', 1)
    assert.deepEqual(await first, value('a'))
  })

  it('I3 tells a failure once, after what is queued, or at once to the one who waits', async () => {
    const queued = opened().stream
    queued.push('a', 1)
    queued.end(new Error('broken'))
    queued.end(new Error('again'))
    assert.deepEqual(await queued.next(), value('a'))
    await assert.rejects(queued.next(), /broken/)
    assert.deepEqual(await queued.next(), done)
    const awaited = opened().stream
    const waiting = awaited.next()
    awaited.end(new Error('broken'))
    await assert.rejects(waiting, /broken/)
    assert.deepEqual(await awaited.next(), done)
  })

  it('fails at once where what is queued is worth nothing any more, even after its end', async () => {
    const { stream } = opened()
    stream.push('a', 1)
    stream.end()
    stream.fail(new Error('gone'))
    await assert.rejects(stream.next(), /gone/)
    assert.deepEqual(await stream.next(), done)
  })

  it('that was read to its end does not fail afterwards', async () => {
    const { stream } = opened()
    stream.end()
    stream.fail(new Error('gone'))
    assert.deepEqual(await stream.next(), done)
  })

  it('that is left drops what comes, holds nobody back, and lets no reader wait', async () => {
    const { stream, heard } = opened()
    for (let i = 0; i < 16; i++) stream.push(i, 1)
    await stream.return()
    assert.deepEqual(heard, ['pause', 'resume', 'left'])
    for (let i = 0; i < 16; i++) stream.push(i, 1)
    stream.end(new Error('late'))
    assert.deepEqual(await stream.next(), done)
    assert.deepEqual(heard, ['pause', 'resume', 'left'])
    const awaited = opened().stream
    const waiting = awaited.next()
    await awaited.return()
    assert.deepEqual(await waiting, done)
  })
})
