/**
 * Locks and semaphores on Redis: slots, and a line of those who want one. Every step is one script, which first takes
 * slots from those whose session has ended and gives free ones to the head of the line.
 *
 * - L1  A slot has at most one holder. A holder is passed over when its session has ended by the server's clock, and the
 *       lock-delay it asked for has passed since.
 * - L2  Each grant's token is greater than all before it of this name, and than the floor. It is at least the server's time
 *       in microseconds as well: should the server lose its data, tokens rise nevertheless, as long as its clock does.
 * - L3  A request is known by its id: whatever of it is sent again changes nothing more.
 * - L4  A grant to one who waits tells its plane alone. Messages may be lost, and nobody tells that a session has ended:
 *       so who waits looks again when the holder's session, or that of the one ahead, could have ended.
 */
import { roomKey } from '../../context.ts'
import type { CallOptions, Key, LeaseId } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { tokenFloorKey } from '../../locks/index.ts'
import type { RedisConnection } from './connection.ts'
import { leaseText, type Rooms, sessionPrefix, wakePrefix } from './rooms.ts'
import { type Script, type ScriptArgument, script } from './script.ts'

// KEYS holders, queue, token, floor, permits; ARGV session prefix, wake prefix, permits, lease, request, delay
const sharedPart = `
local permits = tonumber(ARGV[3])
local own = ARGV[4] .. ' ' .. ARGV[5] .. ' '
local last = number_at(KEYS[3], 0)
local floor = number_at(KEYS[4], 0)

local function ends_at(lease)
  return number_at(ARGV[1] .. lease, 0)
end

local function starts_with(text, start)
  return string.sub(text, 1, string.len(start)) == start
end

local function give(slot, member)
  local lease, request, delay = string.match(member, '^(%S+) (%S+) (%d+)$')
  if not lease or ends_at(lease) <= now then return false end
  last = math.max(last + 1, floor + 1, micros)
  redis.call('SET', KEYS[3], whole(last))
  redis.call('HSET', KEYS[1], slot, lease .. ' ' .. request .. ' ' .. whole(last) .. ' ' .. delay)
  if request ~= ARGV[5] then
    redis.call('PUBLISH', ARGV[2] .. string.match(request, '^[^.]+'), request)
  end
  return true
end

-- Returns the slot and the token of this request if it holds one, and when the first of the holders could end.
local function settle()
  local taken, soonest, held = {}, math.huge, nil
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    local lease, delay = string.match(all[i + 1], '^(%S+) %S+ %d+ (%d+)$')
    local free_at = lease and ends_at(lease) + delay or 0
    if free_at <= now then
      redis.call('HDEL', KEYS[1], all[i])
    else
      taken[tonumber(all[i])] = true
      soonest = math.min(soonest, free_at)
      if starts_with(all[i + 1], own) then held = tonumber(all[i]) end
    end
  end
  local slot = 0
  while true do
    while taken[slot] do slot = slot + 1 end
    local head = slot < permits and redis.call('ZRANGE', KEYS[2], 0, 0)[1]
    if not head then return held, soonest end
    redis.call('ZREM', KEYS[2], head)
    if give(slot, head) then
      taken[slot] = true
      if starts_with(head, own) then held = slot end
    end
  end
end
`

const enterScript = script(
  'the script that takes a lock',
  `${sharedPart}
if ARGV[8] == 'agree' then
  local agreed = number_at(KEYS[5], permits)
  if agreed ~= permits then return {'conflict', whole(agreed)} end
  redis.call('SET', KEYS[5], whole(permits))
end
if ends_at(ARGV[4]) <= now then return {'gone'} end
local member = own .. ARGV[6]
local held, soonest = settle()
if not held and not redis.call('ZSCORE', KEYS[2], member) then
  local tail = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')
  redis.call('ZADD', KEYS[2], whole((tail[2] or 0) + 1), member)
  held, soonest = settle()
end
if held then
  return {'held', whole(held), string.match(redis.call('HGET', KEYS[1], held), '^%S+ %S+ (%d+)')}
end
if ARGV[7] == '0' then
  redis.call('ZREM', KEYS[2], member)
  return {'busy'}
end
local rank = redis.call('ZRANK', KEYS[2], member)
while rank > 0 do
  local ahead = redis.call('ZRANGE', KEYS[2], rank - 1, rank - 1)[1]
  local ends = ends_at(string.match(ahead, '^%S+'))
  if ends > now then
    soonest = ends
    break
  end
  redis.call('ZREM', KEYS[2], ahead)
  rank = rank - 1
end
return {'waiting', whole(math.max(0, soonest - now))}`,
)

const leaveScript = script(
  'the script that lets a lock go',
  `${sharedPart}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if starts_with(all[i + 1], own) then redis.call('HDEL', KEYS[1], all[i]) end
end
redis.call('ZREM', KEYS[2], own .. ARGV[6])
settle()
return 1`,
)

const settleScript = script('the script that passes a lock on', `${sharedPart}\nsettle()\nreturn 1`)

// KEYS holders; ARGV slot, start of the holder
const checkScript = script(
  'the script that looks whether a lock is held',
  `local holder = redis.call('HGET', KEYS[1], ARGV[1])
return holder and string.sub(holder, 1, string.len(ARGV[2])) == ARGV[2] and 1 or 0`,
)

export interface LineParts {
  readonly connection: RedisConnection
  readonly rooms: Rooms
  readonly room: 'locks' | 'semaphores'
  readonly name: string
  readonly permits: number
}

/** One of a line: who asks, and what for. */
export interface Claim {
  readonly leaseId: LeaseId
  /** `PLANE.NUMBER` */
  readonly request: string
  readonly delayMs: number
}

export type LineAnswer =
  | { readonly state: 'held'; readonly slot: number; readonly fencingToken: number }
  | { readonly state: 'busy' }
  | { readonly state: 'waiting'; readonly lookAgainInMs: number }

export class Line {
  private readonly parts: LineParts
  private readonly keys: readonly Key[]

  constructor(parts: LineParts) {
    this.parts = parts
    const { rooms, room, name } = parts
    const key = (part: string): Key => roomKey(rooms, room, name, part)
    this.keys = [key('holders'), key('queue'), key('token'), tokenFloorKey(rooms), key('permits')]
  }

  /** Enters the line, or looks how far it has come. With `waits` false it stays only if it is granted at once. */
  async enter(claim: Claim, waits: boolean, options: CallOptions): Promise<LineAnswer> {
    const { room, name, permits } = this.parts
    const more = [waits ? '1' : '0', room === 'semaphores' ? 'agree' : '']
    const [state, first, second] = (await this.run(enterScript, claim, more, options)) as string[]
    if (state === 'held') return { state, slot: Number(first), fencingToken: Number(second) }
    if (state === 'busy') return { state }
    if (state === 'waiting') return { state, lookAgainInMs: Number(first) }
    if (state === 'gone') throw new SynodError('SESSION_LOST', 'the session ended by the clock of Redis; acquire anew')
    throw new SynodError(
      'CONFLICT',
      `semaphore ${JSON.stringify(name)} has ${first} permits, and this program asks for ${permits}: all programs must ` +
        `agree; to change the number, stop them, delete the key ${JSON.stringify(this.keys[4])}, and start them with the new one`,
      { retryable: false },
    )
  }

  /** Gives up the place, and what is held by it. */
  async leave(claim: Claim, options: CallOptions): Promise<void> {
    await this.run(leaveScript, claim, [], options)
  }

  /** Gives what is free to the head of the line, as anybody would who comes by. */
  async settle(claim: Claim, options: CallOptions): Promise<void> {
    await this.run(settleScript, claim, [], options)
  }

  async isHeld({ leaseId, request }: Claim, slot: number, options: CallOptions): Promise<boolean> {
    const args = [slot, `${leaseText(leaseId)} ${request} `]
    return (await this.parts.connection.run({ script: checkScript, keys: [this.keys[0]!], args }, options)) === 1
  }

  private run(what: Script, claim: Claim, more: readonly ScriptArgument[], options: CallOptions): Promise<unknown> {
    const { connection, rooms, permits } = this.parts
    const own = [leaseText(claim.leaseId), claim.request, claim.delayMs]
    const prefixes = [sessionPrefix(rooms), wakePrefix(rooms)]
    const call = { script: what, keys: this.keys, args: [...prefixes, permits, ...own, ...more] }
    return connection.run(call, options)
  }
}
