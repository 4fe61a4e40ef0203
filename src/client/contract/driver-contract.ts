/**
 * What every {@link Driver} owes (D1 to D4, and what its methods say), run by each driver on its engine. A test that an
 * engine cannot pass by its nature is skipped with the reason.
 */
import { after, before, describe, it } from 'node:test'
import { binaryString, utf8Bytes } from '../../base/index.ts'
import { describeCalls } from './calls.ts'
import { type DefineTest, type DriverContractWorld, type DriverSubject, Ground } from './ground.ts'
import { describeLeases } from './leases.ts'
import { describeObserving } from './observing.ts'
import { describeReads } from './reads.ts'
import { describeTransactions } from './transactions.ts'
import { describeWatches } from './watches.ts'

const testTimeoutMs = 60_000

/** Registers the suite under `name`. */
export function driverContract(name: string, world: DriverContractWorld): void {
  const run = world.run ?? (<T>(work: Promise<T>) => work)
  describe(`${name}: the Driver contract`, { timeout: 10 * testTimeoutMs }, () => {
    let shared: DriverSubject | undefined
    let count = 0
    before(async () => {
      shared = await run(world.open())
    })
    after(async () => {
      if (shared !== undefined) await run(shared.close())
    })
    const test: DefineTest = (title, body, { unless, fresh = false } = {}) => {
      it(title, { timeout: testTimeoutMs }, async (context) => {
        const subject = fresh ? await run(world.open()) : shared!
        try {
          const reason = unless?.(subject)
          if (reason === undefined) await run(body(new Ground(subject, prefixFor(subject, ++count))))
          else context.skip(reason)
        } finally {
          if (fresh) await run(subject.close())
        }
      })
    }
    describeReads(test)
    describeTransactions(test)
    describeLeases(test)
    describeWatches(test)
    describeObserving(test)
    describeCalls(test)
  })
}

/** Fresh on an engine that earlier runs have used, too. */
function prefixFor({ driver }: DriverSubject, count: number): string {
  const fresh = Buffer.from(driver.outside.random.bytes(6)).toString('hex')
  return binaryString(utf8Bytes(`contract/${fresh}-${count}/`))
}
