/** Demands service of nodes: a write and a linearizable read on each of them. */
import type { Machine } from '../machine.ts'
import { type ClientWorld, performOn } from './kv-client.ts'

const againMs = 200

export class Probe {
  private readonly world: ClientWorld
  private readonly name: string
  private readonly due: Set<Machine>

  constructor(world: ClientWorld, name: string, machines: readonly Machine[]) {
    this.world = world
    this.name = name
    this.due = new Set(machines)
    for (const machine of machines) this.write(machine, 0)
  }

  get served(): boolean {
    return this.waiting.length === 0
  }

  /** Those that have not served yet, and still could: one that was removed meanwhile has ended. */
  get waiting(): string[] {
    const isOut = (machine: Machine) => machine.excuses.has('removed') && !machine.isAlive
    return [...this.due].filter((machine) => !isOut(machine)).map((machine) => machine.name)
  }

  private write(machine: Machine, attempt: number): void {
    const client = `${this.name}-${machine.name}-${attempt}`
    const input = { op: 'put', key: `probe-${machine.name}`, value: client } as const
    performOn(this.world, client, machine, { input, serializable: false }, (record) => {
      if (record?.outcome === 'ok') this.read(machine, attempt)
      else this.world.simulation.after(againMs, () => this.write(machine, attempt + 1))
    })
  }

  private read(machine: Machine, attempt: number): void {
    const client = `${this.name}-${machine.name}-${attempt}`
    const input = { op: 'get', key: `probe-${machine.name}` } as const
    performOn(this.world, client, machine, { input, serializable: false }, (record) => {
      if (record?.outcome === 'ok') this.due.delete(machine)
      else this.world.simulation.after(againMs, () => this.write(machine, attempt + 1))
    })
  }
}
