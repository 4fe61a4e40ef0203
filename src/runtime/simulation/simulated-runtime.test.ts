import { describeDiskContract, describeNetworkContract, describeTimeContract } from '../contracts/index.ts'
import { createSimulation } from './index.ts'

const seeds = [1, 2, 3]

for (const seed of seeds) {
  const name = `simulation, seed ${seed}`

  describeDiskContract(name, {
    async run(body) {
      const simulation = createSimulation({ seed })
      const { disk } = simulation.createNode('a').runtime
      const work = disk.makeDirectory('/data').then(() => body({ disk, directory: '/data' }))
      await simulation.runUntilDone(work)
    },
  })

  describeNetworkContract(name, {
    async run(body) {
      const simulation = createSimulation({ seed })
      const server = simulation.createNode('server').runtime.network
      const client = simulation.createNode('client').runtime.network
      const deadAddress = { host: 'server', port: 1 }
      await simulation.runUntilDone(body({ server, client, host: 'server', deadAddress }))
    },
  })

  describeTimeContract(name, {
    async run(body) {
      const simulation = createSimulation({ seed })
      await simulation.runUntilDone(body(simulation.createNode('a').runtime))
    },
  })
}
