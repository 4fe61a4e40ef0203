/**
 * Config with live reload: a service reads its settings from memory on every request, and follows what an operator
 * changes without a restart. What does not fit the schema is never used: the last good settings stay, and the service
 * tells what is wrong.
 *
 *     node examples/config-reload/main.ts [connection] [--json]
 *
 * The operator here uses the same API; any client of the engine would do (`etcdctl put synod/config/shop '{…}'`). Runs on
 * every engine but Redis.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { z } from 'zod'
import { cleanUp, connectCoordination, perform, type Stage } from '../example.ts'

const Settings = z.object({
  banner: z.string().default(''),
  limits: z.object({ itemsPerOrder: z.int().min(1).default(10) }).prefault({}),
})

await perform({ name: 'config-reload', connection: 'embedded:', play })

async function play(stage: Stage) {
  const plane = await connectCoordination(stage)
  // Settings of all services lie under those of the shop.
  const config = await plane.config('shop', { schema: Settings, layers: ['all-services'] })
  const everywhere = await plane.config('all-services', { schema: Settings })
  config.on('change', ({ value }) => stage.say(`  the service now runs with ${JSON.stringify(value)}`))

  const server = createServer((_request, response) => {
    const { banner, limits } = config.value
    response.end(JSON.stringify({ banner, itemsPerOrder: limits.itemsPerOrder }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  const ask = async () => (await fetch(`http://127.0.0.1:${port}/`)).json() as Promise<Answer>

  stage.check('without any settings, the defaults hold', (await ask()).itemsPerOrder === 10)

  stage.say('the operator lowers the limit')
  await config.set({ limits: { itemsPerOrder: 3 } })
  stage.check('a change holds from the next request on', (await ask()).itemsPerOrder === 3)

  stage.say('the operator puts up a banner for all services')
  let changed = new Promise<void>((resolve) => config.on('change', () => resolve()))
  await everywhere.set({ banner: 'Back at noon' })
  await changed
  const answer = await ask()
  stage.check('layers join', answer.banner === 'Back at noon' && answer.itemsPerOrder === 3)

  const refusal = await config.set({ limits: { itemsPerOrder: 0 } }).catch((error: { code?: string }) => error.code)
  stage.check('settings that do not fit the schema cannot be set', refusal === 'VALIDATION_FAILED')

  stage.say('somebody stores nonsense with another client')
  const problem = new Promise<string>((resolve) => config.on('problem', ({ code }) => resolve(code)))
  await plane.kv.put('synod/config/shop', '{"limits":{"itemsPerOrder":"many"}}')
  stage.check('nonsense is told', (await problem) === 'VALIDATION_FAILED')
  stage.check('and the last good settings stay', (await ask()).itemsPerOrder === 3)

  changed = new Promise<void>((resolve) => config.on('change', () => resolve()))
  await plane.kv.put('synod/config/shop', '{"limits":{"itemsPerOrder":5}}')
  await changed
  stage.check('until they are put right', (await ask()).itemsPerOrder === 5 && config.problem === undefined)

  server.close()
  server.closeAllConnections()
  const staleMs = Math.round(config.staleMs())
  await everywhere.close()
  await config.close()
  await cleanUp(plane)
  return { settings: config.value, staleMs }
}

interface Answer {
  readonly banner: string
  readonly itemsPerOrder: number
}
