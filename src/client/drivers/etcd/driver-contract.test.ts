import { type DriverContractWorld, type DriverSubject, driverContract } from '../../contract/index.ts'
import { type ClientWorld, clientWorld } from '../../testing/index.ts'
import { openEtcdDriver } from './index.ts'
import { compact } from './testing/compaction.ts'

/** Simulated clusters of `nodes`; the contract's tests run in the world that was opened last and is not closed. */
function simulatedClusters(nodes: 1 | 3): DriverContractWorld {
  const open: ClientWorld[] = []
  let seed = 0
  const subjectOf = (world: ClientWorld): DriverSubject => {
    const { driver, outside } = world.client(0)
    const endpoints = Array.from({ length: nodes }, (_, i) => ({ host: `node-${i}`, port: 2379 }))
    const connect = () => openEtcdDriver({ engine: 'synod', endpoints }, outside)
    return {
      driver,
      another: connect,
      compact: (revision) => compact(outside, endpoints[0]!, revision),
      cut: () => {
        world.cut(0)
        return Promise.resolve(() => {
          world.mend(0)
          return Promise.resolve()
        })
      },
      close: async () => {
        open.splice(open.indexOf(world), 1)
        await driver.close()
      },
    }
  }
  return {
    open: async () => {
      const world = await clientWorld({ seed: `driver-contract-${nodes}-${seed++}`, nodes })
      open.push(world)
      return subjectOf(world)
    },
    // Building a world runs it, so that must not happen inside a run; nothing else is awaited before there is one.
    run: (work) => {
      const world = open.at(-1)
      return world === undefined ? work : world.run(work)
    },
  }
}

driverContract('synod://, one simulated node', simulatedClusters(1))
driverContract('synod://, three simulated nodes', simulatedClusters(3))
