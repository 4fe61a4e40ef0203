import { readFileSync } from 'node:fs'
import { assertDefined } from '../../../base/index.ts'

const lines = readFileSync(new URL('../codec/testdata/golden.txt', import.meta.url), 'utf8').split('\n')
const messages = new Map<string, string>()
for (const line of lines) {
  const [name, hex] = line.split(' ')
  if (name !== undefined && hex !== undefined && !name.startsWith('#')) messages.set(name, hex)
}

/** A message as etcd itself encodes it; its names and making are in `codec/testdata`. */
export function goldenHex(name: string): string {
  return assertDefined(messages.get(name), `golden.txt has ${name}`)
}

export function goldenBytes(name: string): Uint8Array {
  return Buffer.from(goldenHex(name), 'hex')
}
