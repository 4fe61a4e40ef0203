/** Customers, who know the shop's one address: they browse by gRPC, and order by HTTP. */
import { closeClient, createClient } from '../../src/rpc/index.ts'
import { catalog } from './contracts.ts'

/** Looks at an item `times`; how often each edition of the catalog answered. A call that fails, throws. */
export async function browse(
  address: string,
  times: number,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Map<string, number>> {
  const items = createClient(catalog, { target: address })
  const editions = new Map<string, number>()
  try {
    for (let at = 0; at < times; at++) {
      const { edition } = await items.getItem({ sku: 'lamp' }, { metadata })
      editions.set(edition, (editions.get(edition) ?? 0) + 1)
    }
  } finally {
    await closeClient(items)
  }
  return editions
}

/** Who order one thing after another until they are told to stop. */
export class Customers {
  /** Of orders that the shop confirmed. */
  readonly confirmed = new Set<string>()
  /** What went wrong, as a customer sees it. */
  readonly failures: string[] = []
  /** Which instances confirmed orders so far. */
  readonly servedBy = new Set<string>()
  private isOver = false
  private readonly orders: Promise<void>[]

  constructor(address: string, count: number) {
    this.orders = Array.from({ length: count }, (_, who) => this.order(address, `customer-${who}`))
  }

  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.orders)
  }

  private async order(address: string, who: string): Promise<void> {
    for (let at = 0; !this.isOver; at++) {
      const id = `${who}-${at}`
      try {
        const url = `http://${address}/api/orders/${id}`
        const response = await fetch(url, { method: 'PUT', body: '{"sku":"chair"}' })
        if (response.status !== 201) throw new Error(await response.text())
        const { servedBy } = (await response.json()) as { servedBy: string }
        this.servedBy.add(servedBy)
        this.confirmed.add(id)
      } catch (error) {
        this.failures.push(`${id}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
}
