import {
  type ContractWorld,
  describeDiskContract,
  describeNetworkContract,
  type NetworkSubject,
} from '../contracts/index.ts'
import { createNodeRuntime } from '../node/index.ts'
import { createSimulation } from '../simulation/index.ts'
import { MemoryDisk, MemoryNetwork } from './index.ts'

describeDiskContract('memory', {
  async run(body) {
    const disk = new MemoryDisk()
    await disk.makeDirectory('/data')
    await body({ disk, directory: '/data' })
  },
})

const { scheduler } = createNodeRuntime({ logLevel: 'error' })
const deadAddress = { host: 'here', port: 1 }

describeNetworkContract('memory, on the loop of Node', {
  async run(body) {
    const network = new MemoryNetwork(scheduler, ['here'])
    await body({ server: network, client: network, host: 'here', deadAddress })
  },
})

const simulated: ContractWorld<NetworkSubject> = {
  async run(body) {
    const simulation = createSimulation({ seed: 1 })
    const network = new MemoryNetwork(simulation.createNode('a').runtime.scheduler, ['here'])
    await simulation.runUntilDone(body({ server: network, client: network, host: 'here', deadAddress }))
  },
}

describeNetworkContract('memory, on a simulated loop', simulated)
