import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createNodeRuntime } from '../../../runtime/node/index.ts'
import { createSimulation } from '../../../runtime/simulation/index.ts'
import { type DriverSubject, driverContract } from '../../contract/index.ts'
import { type EmbeddedDriver, openEmbeddedDriver } from './index.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })
const holdProcess = (): (() => void) => {
  const timer = setInterval(() => {}, 1000)
  return () => clearInterval(timer)
}

function subjectOf(driver: EmbeddedDriver, rest: Partial<DriverSubject> = {}): DriverSubject {
  return { driver, compact: (revision) => driver.compact(revision), close: () => driver.close(), ...rest }
}

driverContract('embedded, in memory', {
  open: async () => subjectOf(await openEmbeddedDriver({ holdProcess }, runtime)),
})

driverContract('embedded, in a directory', {
  async open() {
    const directory = await mkdtemp(join(tmpdir(), 'synod-embedded-'))
    const driver = await openEmbeddedDriver({ directory, holdProcess }, runtime)
    return subjectOf(driver, {
      async reopen() {
        await driver.close()
        return openEmbeddedDriver({ directory, holdProcess }, runtime)
      },
      async close() {
        await driver.close()
        await rm(directory, { recursive: true })
      },
    })
  },
})

driverContract('embedded, three nodes in memory', {
  open: async () => subjectOf(await openEmbeddedDriver({ nodes: 3, holdProcess }, runtime)),
})

const simulation = createSimulation({ seed: 7 })
const machine = simulation.createNode('machine')

driverContract('embedded, on a simulated machine', {
  run: (work) => simulation.runUntilDone(work),
  async open() {
    const directory = `/data-${simulation.random.uint32()}`
    const driver = await openEmbeddedDriver({ directory }, machine.runtime)
    return subjectOf(driver, {
      async reopen() {
        await driver.close()
        return openEmbeddedDriver({ directory }, machine.runtime)
      },
    })
  },
})
