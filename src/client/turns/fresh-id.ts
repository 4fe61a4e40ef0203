import type { ClientRuntime } from '../driver/index.ts'

/** Sixteen hexadecimal digits that no other call returns, in this process or another. */
export function freshId(outside: Pick<ClientRuntime, 'random'>): string {
  return Buffer.from(outside.random.bytes(8)).toString('hex')
}
