// What the service sees of the client is the same on all three engines, whatever the client says of itself.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { skipWithout } from '../peers.ts'
import { ask, engines, startEcho, startEngine } from './rendered-engines.ts'

const own = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'forwarded',
  'x-query',
  'x-who',
]

/** What clients say: everything; how they came, but not to which port; who they are alone. */
const forgeries = [own, own, ['x-forwarded-for', 'x-forwarded-proto'], ['x-forwarded-host'], ['x-forwarded-for']].map(
  (names) => Object.fromEntries(names.map((name) => [name, 'forged'])),
)

const yaml = (port: number, app: number, more: string): string => `
listeners:
  - address: 127.0.0.1:${port}
    ${more}
    routes:
      - to: app
        requestHeaders: {set: {x-query: $args, x-who: '$remote_addr $request_method'}}
upstreams: {app: {endpoints: ['127.0.0.1:${app}']}}`

async function seen(engine: (typeof engines)[number], app: number, more: string): Promise<unknown> {
  const running = await startEngine(engine, (port) => yaml(port, app, more))
  try {
    const answers: unknown[] = []
    for (const [i, forged] of forgeries.entries()) {
      const path = i === 0 ? '/?a=1' : '/'
      const { body } = await ask(running.port, { path, headers: { ...forged, host: 'shop.example' } })
      const { headers } = JSON.parse(body.replaceAll(`"${running.port}"`, '"PORT"')) as {
        headers: Record<string, string>
      }
      answers.push(own.map((name) => `${name}: ${headers[name] ?? ''}${name in headers ? '' : '(none)'}`))
    }
    return answers
  } finally {
    await running.stop()
  }
}

describe('headers of the client', { skip: skipWithout('nginx') || skipWithout('haproxy') }, () => {
  for (const more of ['forwardedHeaders: x-forwarded', 'forwardedHeaders: none', 'trustedProxies: 127.0.0.0/8']) {
    test(more, async () => {
      const echo = await startEcho('app')
      try {
        const wanted = await seen('ours', echo.port, more)
        for (const engine of engines.slice(1)) assert.deepEqual(await seen(engine, echo.port, more), wanted, engine)
      } finally {
        echo.close()
      }
    })
  }
})
