import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytesTag, ProtobufReader } from '../../../base/index.ts'
import { ServicesWorld } from '../testing/services-world.ts'
import { fileDescriptors } from './descriptors.ts'

/** The texts of field `field` of a message. */
function texts(bytes: Uint8Array, field: number): string[] {
  const found: string[] = []
  const reader = new ProtobufReader(bytes)
  while (reader.next()) {
    if (reader.tag !== bytesTag(field)) reader.skip()
    else {
      reader.bytes()
      found.push(reader.text())
    }
  }
  assert.ok(!reader.malformed)
  return found
}

function parts(bytes: Uint8Array, field: number): Uint8Array[] {
  return texts(bytes, field).map((text) => Buffer.from(text, 'utf8'))
}

test('every method that is served is described', () => {
  const described = new Set<string>()
  for (const file of fileDescriptors()) {
    const [packageName] = texts(file, 2)
    for (const service of parts(file, 6)) {
      for (const method of parts(service, 2)) described.add(`/${packageName}.${texts(service, 1)}/${texts(method, 1)}`)
    }
  }
  const missing = Object.keys(new ServicesWorld().routes).filter((path) => !described.has(path))
  assert.deepEqual(missing, [])
})
