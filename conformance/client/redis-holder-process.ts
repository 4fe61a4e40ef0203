// A program on the plane of Redis that does what it is told, line by line.
//   node redis-holder-process.ts PORT TTL_MS
// Prints one JSON line for each command:
//   acquire         {"token":N}
//   check           {"held":true|false,"remainingMs":N}
//   write VALUE     {"outcome":"written"|"FENCED"}   to a key that takes no token lower than one it has seen, without a
//                                                    look at the clock
//   contend N       {"entered":N}    N times: acquires, adds 1 to a plain key by reading and writing it, lets go
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { openRedisPlane } from '../../src/client/drivers/redis/index.ts'
import type { HeldLock } from '../../src/client/locks/index.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'

const [port, ttlMs] = process.argv.slice(2).map(Number)
const runtime = createNodeRuntime({ logLevel: 'error' })
const plane = await openRedisPlane({ host: '127.0.0.1', port: port!, ttlMs: ttlMs! }, runtime)
const resource = new Redis(port!, '127.0.0.1')
const lock = plane.lock('stock')
let held: HeldLock | undefined

const fencedWrite = `
if tonumber(ARGV[1]) < tonumber(redis.call('HGET', KEYS[1], 'token') or '0') then return 'FENCED' end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'value', ARGV[2])
return 'written'`

function tell(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`)
}

function isHeld(): boolean {
  try {
    held!.assertHeld()
    return true
  } catch {
    return false
  }
}

async function contend(times: number): Promise<void> {
  for (let i = 0; i < times; i++)
    await lock.run({}, async ({ fencingToken }) => {
      const before = Number(await resource.get('plain'))
      await resource.rpush('tokens', fencingToken)
      await resource.set('plain', before + 1)
    })
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, value = ''] = line.split(' ')
  if (command === 'acquire') {
    held = await lock.acquire()
    tell({ token: held.fencingToken })
  } else if (command === 'check') {
    // The clock first: a stopped process reads it before any timer has run.
    tell({ held: isHeld(), remainingMs: held!.remainingMs() })
  } else if (command === 'write') {
    tell({ outcome: await resource.eval(fencedWrite, 1, 'fenced', held!.fencingToken, value) })
  } else if (command === 'contend') {
    await contend(Number(value))
    tell({ entered: Number(value) })
  }
}
resource.disconnect()
await plane.close()
