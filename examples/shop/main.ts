/**
 * An online shop: a catalog (gRPC from a `.proto` file), payments (a service defined in code) and orders (plain HTTP), each
 * a process that registers in the registry; two of orders and of payments; all behind `synod proxy`. A new catalog is tried
 * on some customers and then given to all, and processes die while customers order.
 *
 *     node examples/shop/main.ts [connection] [--customers 8] [--stay SECONDS] [--json]
 *
 * Without a connection string it starts a node of its own. `--stay` leaves the shop open for a while, to be tried by hand.
 * Runs on every engine but Redis.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { CoordinationPlane } from '../../src/client/index.ts'
import { cleanUp, connectCoordination, perform, type Stage } from '../example.ts'
import { browse, Customers } from './customers.ts'
import { Shop } from './shop.ts'

const ownNode = 'own'
const patienceMs = 20_000

await perform({ name: 'shop', connection: ownNode, counts: { customers: 8, stay: 0 }, play })

async function play(stage: Stage) {
  const folder = mkdtempSync(join(tmpdir(), 'synod-shop-'))
  const shop = new Shop(folder, stage.namespace)
  try {
    await shop.open(stage.connection === ownNode ? undefined : stage.connection)
    const plane = await connectCoordination({ ...stage, connection: shop.connection })
    stage.say(`the shop is open at http://${shop.address}, its registry at ${shop.connection}`)
    const canaryShare = await tryNewCatalog(stage, shop)
    const orders = await loseProcesses(stage, shop, plane)
    await stayOpen(stage, shop)
    await shop.close()
    await cleanUp(plane)
    return { canaryShare, orders }
  } finally {
    await shop.close()
    await shop.closeRegistry()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The new catalog: for one call in ten, for whoever asks for it, and then for all. Gives its share in percent. */
async function tryNewCatalog(stage: Stage, shop: Shop): Promise<number> {
  const editions = await browse(shop.address, 100)
  const share = editions.get('canary') ?? 0
  stage.say(`of 100 calls of the catalog ${share} met the new one`)
  stage.check('one call in ten meets the new catalog', share === 10)

  const asked = await browse(shop.address, 20, { 'x-canary': 'always' })
  stage.check('whoever asks for it always does', asked.get('canary') === 20)

  stage.say('it is good: everybody gets it')
  shop.configure((text) => text.replace('{catalog: 90, catalog-canary: 10}', 'catalog-canary'))
  // A call that fails would throw.
  await until('the new configuration is used', async () => (await browse(shop.address, 20)).get('canary') === 20)
  stage.check('the change took no restart, and failed no call', true)
  return share
}

/** Instances die while customers order. Gives how many orders there were. */
async function loseProcesses(stage: Stage, shop: Shop, plane: CoordinationPlane): Promise<number> {
  const customers = new Customers(shop.address, stage.count('customers'))
  const more = async (): Promise<void> => {
    const enough = customers.confirmed.size + 100
    await until('customers can order', () => customers.confirmed.size >= enough)
  }
  await more()
  stage.check('both instances take orders', [...customers.servedBy].sort().join() === 'orders-1,orders-2')

  for (const service of ['orders', 'payments']) {
    stage.say(`${service}-1 is killed, while customers order`)
    await shop.kill(`${service}-1`)
    await more()
    await until(`the registry forgets ${service}-1`, async () => (await plane.registry.instances(service)).length === 1)
    stage.say(`  the registry has forgotten it, ${customers.confirmed.size} orders so far`)
  }

  stage.say('orders-3 is started')
  await shop.add('orders-3', 'orders')
  await until('orders-3 gets its share', () => customers.servedBy.has('orders-3'))
  await more()
  await customers.stop()

  for (const failure of customers.failures.slice(0, 5)) stage.say(`  ${failure}`)
  stage.check('no customer saw a failure', customers.failures.length === 0)
  const [stored, paid] = [await idsUnder(plane, 'orders/'), await idsUnder(plane, 'payments/')]
  stage.check('each confirmed order is stored', isSame(stored, customers.confirmed))
  stage.check('and paid, once', isSame(paid, customers.confirmed))
  return stored.size
}

async function stayOpen(stage: Stage, shop: Shop): Promise<void> {
  const seconds = stage.count('stay')
  if (seconds === 0) return
  stage.say(`open for ${seconds} s more: curl -X PUT -d '{"sku":"rug"}' http://${shop.address}/api/orders/mine`)
  await delay(seconds * 1_000)
}

/** What the shop keeps, by order. */
async function idsUnder(plane: CoordinationPlane, prefix: string): Promise<Set<string>> {
  const ids = new Set<string>()
  for await (const { key } of plane.kv.list({ prefix })) ids.add(key.slice(prefix.length))
  return ids
}

function isSame(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((id) => other.has(id))
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = Date.now() + patienceMs
  while (!(await holds())) {
    if (Date.now() > deadlineMs) throw new Error(`it did not happen within ${patienceMs / 1_000} s: ${what}`)
    await delay(20)
  }
}
