// The few etcd calls that the fault tests make, over a Channel.
import { setTimeout as delay } from 'node:timers/promises'
import { ProtobufWriter } from '../../src/base/index.ts'
import { decodeFields, decodeKeyValue, type KeyValue } from '../../src/cli/etcd-messages.ts'
import type { Channel, Reply } from './channel.ts'

export function putRequest(key: string, value: string): Uint8Array {
  return new ProtobufWriter().bytes(1, Buffer.from(key)).bytes(2, Buffer.from(value)).finish()
}

/** The revision in a response's header. */
export function revisionOf(message: Uint8Array): number {
  return decodeFields(message).fields(1).number(3)
}

export function put(channel: Channel, key: string, value: string, timeoutMs = 10_000): Promise<Reply> {
  return channel.call('/etcdserverpb.KV/Put', putRequest(key, value), timeoutMs)
}

export interface RangeOptions {
  readonly end?: string | undefined
  readonly limit?: number | undefined
  readonly serializable?: boolean | undefined
  readonly timeoutMs?: number | undefined
}

export function range(channel: Channel, key: string, options: RangeOptions = {}): Promise<Reply> {
  const writer = new ProtobufWriter().bytes(1, Buffer.from(key)).bytes(2, Buffer.from(options.end ?? ''))
  const request = writer.int(3, options.limit ?? 0).bool(7, options.serializable === true)
  return channel.call('/etcdserverpb.KV/Range', request.finish(), options.timeoutMs ?? 10_000)
}

export function keyValuesOf(message: Uint8Array): KeyValue[] {
  return decodeFields(message).all(2).map(decodeKeyValue)
}

/** All keys that begin with `prefix`, page by page, from the member's own state. */
export async function readAll(channel: Channel, prefix: string): Promise<Map<string, KeyValue>> {
  const found = new Map<string, KeyValue>()
  const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
  for (let key = prefix; ; ) {
    const reply = succeeded(await range(channel, key, { end, limit: 5000, serializable: true }))
    const page = keyValuesOf(reply)
    for (const kv of page) found.set(Buffer.from(kv.key).toString(), kv)
    if (page.length < 5000) return found
    key = `${Buffer.from(page.at(-1)!.key).toString()}\0`
  }
}

export interface MemberView {
  readonly leads: boolean
  readonly hasLeader: boolean
  readonly term: number
  readonly revision: number
  readonly appliedIndex: number
}

/** What a member says of itself, or undefined when it does not answer. */
export async function view(channel: Channel, timeoutMs = 2000): Promise<MemberView | undefined> {
  const reply = await channel.call('/etcdserverpb.Maintenance/Status', new Uint8Array(0), timeoutMs)
  if (reply.kind !== 'ok') return undefined
  const fields = decodeFields(reply.message)
  const leader = fields.int64(4)
  return {
    leads: leader !== 0n && leader === fields.fields(1).int64(2),
    hasLeader: leader !== 0n,
    term: fields.number(6),
    revision: fields.fields(1).number(3),
    appliedIndex: fields.number(7),
  }
}

/** The member's hash over its keys and their history up to `revision`; 0 is everything. */
export async function hashKv(channel: Channel, revision = 0): Promise<string> {
  const request = new ProtobufWriter().int(1, revision).finish()
  const reply = await channel.call('/etcdserverpb.Maintenance/HashKV', request, 20_000)
  const fields = decodeFields(succeeded(reply))
  return `hash ${fields.number(2)} at ${fields.number(4)}, compacted ${fields.number(3)}`
}

/** The answer, or an error that says what came instead. */
export function succeeded(reply: Reply): Buffer {
  if (reply.kind !== 'ok') throw new Error(`the call failed: ${reply.text}`)
  return reply.message
}

/** Asks until `ask` yields something; throws with `what` after `timeoutMs`. */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 15_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await delay(10)
  }
}

/** The member's own id. */
export async function memberIdOf(channel: Channel): Promise<bigint> {
  const reply = await channel.call('/etcdserverpb.Maintenance/Status', new Uint8Array(0), 5000)
  return BigInt.asUintN(64, decodeFields(succeeded(reply)).fields(1).int64(2))
}
