import { after, before } from 'node:test'
import { silentLogger } from '../../../runtime/index.ts'
import { createNodeRuntime } from '../../../runtime/node/index.ts'
import type { Driver } from '../../driver/index.ts'
import { type EmbeddedDriver, openEmbeddedDriver } from '../../drivers/embedded/index.ts'

/** An engine in memory for the tests of a suite, which each take a prefix of their own. */
export function embeddedForSuite(): { readonly driver: EmbeddedDriver } {
  let opened: EmbeddedDriver | undefined
  before(async () => {
    opened = await memoryEngine()
  })
  after(() => opened?.close())
  return {
    get driver() {
      return opened!
    },
  }
}

/** An engine in memory, to be closed by who asked. */
export function memoryEngine(): Promise<EmbeddedDriver> {
  return openEmbeddedDriver({}, { ...createNodeRuntime({ logLevel: 'error' }), logger: silentLogger })
}

let prefixes = 0

/** A prefix that no other test of this process uses. */
export function freshPrefix(): string {
  return `t${prefixes++}/`
}

export async function put(driver: Driver, key: string, value: string): Promise<number> {
  const bytes = Buffer.from(value)
  const { revision } = await driver.transact({ compares: [], success: [{ type: 'put', key, value: bytes }] })
  return revision
}

export async function remove(driver: Driver, key: string): Promise<number> {
  const { revision } = await driver.transact({ compares: [], success: [{ type: 'delete', key }] })
  return revision
}
