// The npm packages redlock and ioredis.
import { createRequire } from 'node:module'
import { Redis } from 'ioredis'
import type { Side } from './side.ts'

/** The part of redlock that is used; it brings no types. */
interface Redlock {
  lock(resource: string, ttlMs: number): Promise<{ unlock(): Promise<unknown> }>
}
const Redlock = createRequire(import.meta.url)('redlock') as new (
  clients: readonly Redis[],
  options: { readonly retryCount: number },
) => Redlock

const ttlMs = 30_000

export function openRedisSide([endpoint]: readonly string[]): Side {
  const [host, port] = endpoint!.split(':')
  const redis = new Redis(Number(port), host!)
  // Its own delays between tries (200 ms and up to 100 ms more), and as many as it takes.
  const redlock = new Redlock([redis], { retryCount: -1 })
  return {
    async lock(name) {
      const held = await redlock.lock(`redlock-${name}`, ttlMs)
      return () => held.unlock()
    },
    // Not exact: whoever repeats it after a lost answer counts twice.
    increment: (name) => redis.incr(`ioredis-${name}`),
    close: () => redis.disconnect(),
  }
}
