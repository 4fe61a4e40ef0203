/** ioredis, which only programs that connect to Redis need: loaded then, and named when it is not there. */
import { SynodError } from '../../errors.ts'

export type Ioredis = Pick<typeof import('ioredis'), 'Redis'>

/** Rejects with `NOT_SUPPORTED` when the package is not installed. */
export async function loadIoredis(): Promise<Ioredis> {
  try {
    return await import('ioredis')
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new SynodError(
      'NOT_SUPPORTED',
      'redis:// stands on the package ioredis, and it is not installed: run `npm install ioredis`',
      { cause: error },
    )
  }
}
