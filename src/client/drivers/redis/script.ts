/** A Lua script: what runs on the server in one step, with nothing in between. */
import { createHash } from 'node:crypto'
import type { Key } from '../../driver/index.ts'

export interface Script {
  /** As errors call it: `the lock script`. */
  readonly name: string
  readonly text: string
  /** By which the server knows it: its SHA-1. */
  readonly sha: string
}

export type ScriptArgument = string | number

/** One run of a script. It may run twice without harm: every script here knows its own requests again. */
export interface ScriptCall {
  readonly script: Script
  readonly keys: readonly Key[]
  readonly args: readonly ScriptArgument[]
}

/**
 * What scripts share. Times are the server's, which stand still within a script. An error that begins with `CORRUPT` is
 * known to `redis-errors.ts`; Redis puts the script's name before it.
 */
const prelude = `
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local function whole(n) return string.format('%.0f', n) end
local function number_at(key, otherwise)
  local text = redis.call('GET', key)
  if not text then return otherwise end
  local n = tonumber(text)
  if not n then error('CORRUPT ' .. key .. ' holds no number') end
  return n
end
`

export function script(name: string, body: string): Script {
  const text = `${prelude}${body}`
  return { name, text, sha: createHash('sha1').update(text).digest('hex') }
}
