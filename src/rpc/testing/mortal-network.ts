/** TCP of one imagined process, which can be killed: its listeners and connections go as those of a dead process do. */
import type { Address, Connection, Listener, Network } from '../../runtime/index.ts'
import { createNodeRuntime } from '../../runtime/node/index.ts'

export class MortalNetwork implements Network {
  private readonly network = createNodeRuntime({ logLevel: 'error' }).network
  private readonly listeners: Listener[] = []
  private readonly connections = new Set<Connection>()
  private isDead = false

  async listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener> {
    const listener = await this.network.listen(address, (connection) => {
      this.connections.add(connection)
      onConnection(connection)
      if (this.isDead) connection.destroy()
    })
    this.listeners.push(listener)
    return listener
  }

  connect(address: Address, options?: { timeoutMs?: number }): Connection {
    const connection = this.network.connect(address, options)
    this.connections.add(connection)
    return connection
  }

  kill(): void {
    this.isDead = true
    for (const listener of this.listeners) void listener.close()
    for (const connection of this.connections) connection.destroy()
  }
}
