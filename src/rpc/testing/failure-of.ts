import assert from 'node:assert/strict'
import { RpcError } from '../index.ts'

/** The error of a call that must fail. */
export async function failureOf(call: Promise<unknown>): Promise<RpcError> {
  const error: unknown = await call.then(
    () => assert.fail('the call succeeded'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof RpcError, String(error))
  return error
}

/** Reads a stream to its end. */
export async function drainOf<T>(answers: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const answer of answers) all.push(answer)
  return all
}
