/**
 * A flash sale: many buyers want few items at the same moment. The stock is one counter, and a checkout takes from it
 * only if enough is left: sold out to the last item, and never sold twice.
 *
 *     node examples/flash-sale/main.ts [connection] [--stock 100] [--buyers 500] [--json]
 *
 * Runs on every engine. Most shops go wrong in one of two ways: they read the stock and write it back (two buyers read
 * the same number), or they send the write again when its answer was lost (one buyer pays for two). `addIf` decides and
 * writes in one step, and applies once however often it was sent.
 */
import { type CommonPlane, SynodError } from '../../src/client/index.ts'
import { connectMany, perform, type Stage } from '../example.ts'

await perform({ name: 'flash-sale', connection: 'embedded:', counts: { stock: 100, buyers: 500 }, play })

/** What became of one checkout. `undecided`: it may have been sold; ask again once the engine can be reached. */
type Checkout =
  | { readonly outcome: 'sold'; readonly quantity: number; readonly order: string }
  | { readonly outcome: 'sold out' | 'undecided'; readonly quantity: number }

async function checkOut(plane: CommonPlane, quantity: number): Promise<Checkout> {
  try {
    const { applied } = await plane.counter('stock/limited-edition').addIf(-quantity, { min: 0 })
    if (!applied) return { outcome: 'sold out', quantity }
  } catch (error) {
    // Not applied: the buyer may try again. Unknown: never treat it as a failure, or the item is sold twice.
    if (error instanceof SynodError && error.outcome === 'unknown') return { outcome: 'undecided', quantity }
    throw error
  }
  return { outcome: 'sold', quantity, order: await plane.ids('orders').nextString() }
}

async function play(stage: Stage) {
  const stock = stage.count('stock')
  const buyers = stage.count('buyers')
  const planes = await connectMany(stage, 8)
  await planes[0]!.counter('stock/limited-edition').set(stock)
  stage.say(`${stock} items, ${buyers} buyers, who want 1 to 3 each, over ${planes.length} connections`)

  const startMs = performance.now()
  const checkouts = await Promise.all(
    Array.from({ length: buyers }, (_, buyer) => checkOut(planes[buyer % planes.length]!, 1 + (buyer % 3))),
  )
  const tookMs = Math.round(performance.now() - startMs)

  const sold = checkouts.filter((checkout) => checkout.outcome === 'sold')
  const itemsSold = total(sold)
  const itemsUndecided = total(checkouts.filter(({ outcome }) => outcome === 'undecided'))
  const left = await planes[0]!.counter('stock/limited-edition').get()
  stage.say(`sold ${itemsSold} items in ${sold.length} orders, ${left} left, in ${tookMs} ms`)
  stage.check('never more was sold than there was', left >= 0 && itemsSold <= stock)
  stage.check(
    'every item is accounted for: sold, or left',
    left + itemsSold <= stock && left + itemsSold + itemsUndecided >= stock,
  )
  stage.check(
    'sold out to the last item, as demand exceeded it',
    left === 0 || total(checkouts) < stock || itemsUndecided > 0,
  )
  stage.check('every order has a number of its own', new Set(sold.map(({ order }) => order)).size === sold.length)
  for (const plane of planes) await plane.close()
  return { stock, buyers, itemsSold, orders: sold.length, left, itemsUndecided, tookMs }
}

function total(checkouts: readonly { readonly quantity: number }[]): number {
  return checkouts.reduce((sum, { quantity }) => sum + quantity, 0)
}
