/** What the tests of simulated faults share: two connected nodes, and whole files. */
import { utf8Bytes } from '../../base/index.ts'
import { type Connection, type Disk, DiskError } from '../index.ts'
import type { Simulation } from './index.ts'

/** Nodes a and b, and a's open connection to b. */
export async function connectTo(simulation: Simulation): Promise<{
  simulation: Simulation
  connection: Connection
  seen: string[]
  /** What b's end was told of. */
  seenByPeer: string[]
  received: () => string
}> {
  const a = simulation.createNode('a').runtime
  const b = simulation.createNode('b').runtime
  let received = ''
  const seenByPeer: string[] = []
  await simulation.runUntilDone(
    b.network.listen({ host: 'b', port: 9 }, (connection) => {
      connection.setHandler({
        onData(bytes) {
          received += Buffer.from(bytes).toString()
        },
        onClose: (reason) => seenByPeer.push(`close ${reason}`),
      })
    }),
  )
  const seen: string[] = []
  let open = false
  const connection = a.network.connect({ host: 'b', port: 9 })
  connection.setHandler({
    onOpen() {
      open = true
    },
    onData() {},
    onEnd: () => seen.push('end'),
    onClose: (reason) => seen.push(`close ${reason}`),
  })
  await simulation.run({ until: () => open })
  return { simulation, connection, seen, seenByPeer, received: () => received }
}

export async function writeFile(disk: Disk, path: string, text: string, durably: boolean): Promise<void> {
  const file = await disk.open(path, 'create')
  await file.write(0, [utf8Bytes(text)])
  if (durably) {
    await file.sync()
    await disk.syncDirectory('/')
  }
  await file.close()
}

export async function readFile(disk: Disk, path: string): Promise<string | undefined> {
  if ((await disk.stat(path)) === undefined) return undefined
  const file = await disk.open(path, 'read')
  return Buffer.from(await file.read(0, 1_000)).toString()
}

export function isDiskError(code: DiskError['code']): (error: unknown) => boolean {
  return (error) => error instanceof DiskError && error.code === code
}
