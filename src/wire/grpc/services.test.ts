import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufReader, ProtobufWriter } from '../../base/index.ts'
import { HealthStatus, healthRoutes } from './health.ts'
import { reflectionRoutes } from './reflection.ts'
import { collect, envelope, request, startServer } from './testing.ts'

function file(name: string, dependency: string, message: string, service: string): Uint8Array {
  const writer = new ProtobufWriter().text(1, name).text(2, 'pkg').text(3, dependency)
  writer.message(4, (one) => {
    one.text(1, message)
    one.message(2, (field) => field.text(1, 'member').int(3, 1))
    one.message(3, (nested) => nested.text(1, 'Inner'))
    one.message(6, (extension) => extension.text(1, 'ext').text(2, '.pkg.Base').int(3, 100))
  })
  writer.message(5, (one) => one.text(1, `${message}Kind`).message(2, (value) => value.text(1, `${message}_ZERO`)))
  if (service !== '') writer.message(6, (one) => one.text(1, service).message(2, (method) => method.text(1, 'Go')))
  return Uint8Array.from(writer.finish())
}

const base = file('base.proto', '', 'Base', '')
const main = file('main.proto', 'base.proto', 'Main', 'Server')

/** The length-delimited fields of a message as [number, bytes]. */
function fieldsOf(bytes: Uint8Array): [number, Uint8Array][] {
  const reader = new ProtobufReader(bytes)
  const fields: [number, Uint8Array][] = []
  while (reader.next()) {
    if ((reader.tag & 7) === 2) {
      reader.bytes()
      fields.push([reader.tag >>> 3, reader.view()])
    } else {
      fields.push([reader.tag >>> 3, Buffer.from(String(reader.number()))])
    }
  }
  assert.ok(!reader.malformed)
  return fields
}

function ask(build: (writer: ProtobufWriter) => void): Buffer {
  const writer = new ProtobufWriter()
  build(writer)
  return envelope(writer.finish())
}

test('reflection: services, files by name, symbol and extension, both versions', async (t) => {
  const { session } = await startServer(t, [reflectionRoutes({ files: [base, main] })])
  const questions = [
    ask((writer) => writer.presentText(7, '*')),
    ask((writer) => writer.text(4, 'pkg.Server.Go')),
    ask((writer) => writer.text(3, 'base.proto')),
    ask((writer) => writer.text(4, 'pkg.Main.Inner')),
    ask((writer) => writer.text(4, 'pkg.Main_ZERO')),
    ask((writer) => writer.message(5, (one) => one.text(1, 'pkg.Base').int(2, 100))),
    ask((writer) => writer.text(6, 'pkg.Base')),
    ask((writer) => writer.text(4, 'pkg.Nothing')),
  ]
  for (const version of ['v1', 'v1alpha']) {
    const answer = await request(
      session,
      `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
      questions,
    )
    assert.equal(answer.status, '0')
    const replies = answer.messages.map((message) => fieldsOf(message).at(-1)!)
    const filesIn = (at: number): Buffer[] => fieldsOf(replies[at]![1]).map(([, bytes]) => Buffer.from(bytes))
    assert.deepEqual(
      replies.map(([number]) => number),
      [6, 4, 4, 4, 4, 4, 5, 7],
    )
    assert.equal(Buffer.from(fieldsOf(fieldsOf(replies[0]![1])[0]![1])[0]![1]).toString(), 'pkg.Server')
    assert.deepEqual(filesIn(1), [Buffer.from(main), Buffer.from(base)])
    assert.deepEqual(filesIn(2), [Buffer.from(base)])
    assert.deepEqual(filesIn(3), [Buffer.from(main)])
    assert.deepEqual(filesIn(5), [Buffer.from(main)])
    assert.deepEqual(
      fieldsOf(replies[6]![1]).map(([, bytes]) => Buffer.from(bytes).toString()),
      ['pkg.Base', '100'],
    )
    assert.equal(Buffer.from(fieldsOf(replies[7]![1])[0]![1]).toString(), '5')
  }
})

test('health: Check and Watch', async (t) => {
  let status: HealthStatus = HealthStatus.serving
  const callbacks = new Set<() => void>()
  const provider = {
    status: (service: string) => (service === '' ? status : undefined),
    onChange: (callback: () => void) => {
      callbacks.add(callback)
      return () => void callbacks.delete(callback)
    },
  }
  const { session } = await startServer(t, [healthRoutes(provider)])
  const check = await request(session, '/grpc.health.v1.Health/Check', [envelope(Buffer.alloc(0))])
  assert.deepEqual([...check.messages[0]!], [8, 1])
  const unknown = await request(session, '/grpc.health.v1.Health/Check', [ask((writer) => writer.text(1, 'nope'))])
  assert.equal(unknown.status, '5')

  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Watch',
    'content-type': 'application/grpc',
  })
  const answer = collect(stream)
  stream.write(envelope(Buffer.alloc(0)))
  stream.once('data', () => {
    status = HealthStatus.notServing
    for (const callback of callbacks) callback()
    stream.once('data', () => stream.close(8))
  })
  assert.deepEqual(
    (await answer).messages.map((message) => message[1]),
    [1, 2],
  )
  while (callbacks.size > 0) await new Promise((resolve) => setImmediate(resolve))
})
