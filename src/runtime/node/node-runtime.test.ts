import * as fs from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ContractWorld,
  type DiskSubject,
  describeDiskContract,
  describeNetworkContract,
  describeTimeContract,
  type NetworkSubject,
} from '../contracts/index.ts'
import type { Runtime } from '../index.ts'
import { createNodeRuntime } from './index.ts'

const runtime = createNodeRuntime({ logLevel: 'error' })

/** Timers do not keep a process alive, so a test that only waits for one does. */
async function keepingAlive(work: Promise<void>): Promise<void> {
  const keepAlive = setInterval(() => {}, 1_000)
  try {
    await work
  } finally {
    clearInterval(keepAlive)
  }
}

const diskWorld: ContractWorld<DiskSubject> = {
  async run(body) {
    const directory = await fs.mkdtemp(join(tmpdir(), 'synod-disk-'))
    try {
      await body({ disk: runtime.disk, directory })
    } finally {
      await fs.rm(directory, { recursive: true })
    }
  },
}

const networkWorld: ContractWorld<NetworkSubject> = {
  async run(body) {
    const host = '127.0.0.1'
    const deadListener = await runtime.network.listen({ host, port: 0 }, () => {})
    await deadListener.close()
    const { network } = runtime
    await keepingAlive(body({ server: network, client: network, host, deadAddress: deadListener.address }))
  },
}

const timeWorld: ContractWorld<Runtime> = { run: (body) => keepingAlive(body(runtime)) }

describeDiskContract('node', diskWorld)
describeNetworkContract('node', networkWorld)
describeTimeContract('node', timeWorld)
