// Our own client, on any engine.
import { type CommonPlane, type CoordinationPlane, connect } from '../../src/client/index.ts'
import type { Side } from './side.ts'

export async function openSynodSide(url: string): Promise<Side> {
  const plane = await connect<string>(url)
  const onCommon: Side = {
    async lock(name) {
      const held = await plane.lock(name).acquire({ waitMs: 30_000 })
      return () => held.release()
    },
    increment: (name) => plane.counter(name).increment(),
    close: () => plane.close(),
  }
  return isCoordination(plane) ? { ...onCommon, ...keySpace(plane) } : onCommon
}

function isCoordination(plane: CommonPlane): plane is CoordinationPlane {
  return plane.engine !== 'redis'
}

function keySpace({ kv }: CoordinationPlane): Partial<Side> {
  return {
    put: (key, value) => kv.put(key, value),
    get: (key) => kv.get(key, { consistency: 'stale' }),
    async watch(key, onValue) {
      const changes = kv.watch({ key, mode: 'latest' })[Symbol.asyncIterator]()
      // The first state is what is there already: from then on nothing is missed.
      await changes.next()
      void (async () => {
        for (;;) {
          const { done, value } = await changes.next()
          if (done === true) return
          if (value.type === 'put') onValue(value.entry.text())
        }
      })().catch(() => {})
    },
  }
}
