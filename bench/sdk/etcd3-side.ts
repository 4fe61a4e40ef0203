// The npm client etcd3.
import { setTimeout as delay } from 'node:timers/promises'
import { Etcd3, EtcdLockFailedError } from 'etcd3'
import type { Side } from './side.ts'

/** Its lock does not wait: whoever finds it taken tries again after this. */
const retryMs = 10

export function openEtcd3Side(endpoints: readonly string[]): Side {
  const client = new Etcd3({ hosts: endpoints.map((endpoint) => `http://${endpoint}`) })
  return {
    async lock(name) {
      for (;;) {
        try {
          const lock = await client.lock(name).acquire()
          return () => lock.release()
        } catch (error) {
          if (!(error instanceof EtcdLockFailedError)) throw error
          await delay(retryMs)
        }
      }
    },
    increment: (name) => increment(client, name),
    put: (key, value) => client.put(key).value(value).exec(),
    get: (key) => client.get(key).serializable(true).string(),
    async watch(key, onValue) {
      const watcher = await client.watch().key(key).create()
      watcher.on('put', ({ value }) => onValue(value.toString()))
    },
    close: () => client.close(),
  }
}

/** The loop that its documentation shows: read, then write if nobody else did. */
async function increment(client: Etcd3, key: string): Promise<void> {
  for (;;) {
    const { kvs } = await client.get(key).exec()
    const [found] = kvs
    const next = String(Number(found?.value.toString() ?? 0) + 1)
    const write = client.put(key).value(next)
    const attempt =
      found === undefined ? client.if(key, 'Create', '==', 0) : client.if(key, 'Mod', '==', Number(found.mod_revision))
    if ((await attempt.then(write).commit()).succeeded) return
  }
}
