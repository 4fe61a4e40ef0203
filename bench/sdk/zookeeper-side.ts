// The npm client node-zookeeper-client, with ZooKeeper's recipes written out: it brings none.
import { createRequire } from 'node:module'
import type { Side } from './side.ts'

type Done<T extends readonly unknown[]> = (error: Error | null | undefined, ...values: T) => void
interface Stat {
  readonly version: number
}
/** The part that is used; it brings no types. */
interface Client {
  connect(): void
  close(): void
  once(event: 'connected', listener: () => void): void
  create(path: string, data: Buffer, mode: number, done: Done<[string]>): void
  remove(path: string, version: number, done: Done<[]>): void
  exists(path: string, watcher: () => void, done: Done<[Stat | null]>): void
  getChildren(path: string, done: Done<[string[]]>): void
  getData(path: string, watcher: (() => void) | undefined, done: Done<[Buffer, Stat]>): void
  setData(path: string, data: Buffer, version: number, done: Done<[Stat]>): void
  mkdirp(path: string, done: Done<[string]>): void
}
const library = createRequire(import.meta.url)('node-zookeeper-client') as {
  createClient(address: string): Client
  readonly CreateMode: { readonly EPHEMERAL_SEQUENTIAL: number }
  readonly Exception: { readonly BAD_VERSION: number; readonly NO_NODE: number }
}
const anyVersion = -1
const root = '/bench'

export async function openZooKeeperSide(servers: readonly string[]): Promise<Side> {
  const client = library.createClient(servers.join(','))
  await new Promise<void>((resolve) => {
    client.once('connected', resolve)
    client.connect()
  })
  const made = new Map<string, Promise<unknown>>()
  /** Resolves once the path is there; asks only the first time. */
  const ensure = (path: string): Promise<unknown> => {
    let making = made.get(path)
    if (making === undefined) {
      making = asked((done) => client.mkdirp(path, done))
      made.set(path, making)
    }
    return making
  }
  return {
    async lock(name) {
      const folder = `${root}/locks/${name}`
      await ensure(folder)
      return lock(client, folder)
    },
    async increment(name) {
      await ensure(`${root}/${name}`)
      await increment(client, `${root}/${name}`)
    },
    async put(key, value) {
      await ensure(`${root}/${key}`)
      return asked((done) => client.setData(`${root}/${key}`, Buffer.from(value), anyVersion, done))
    },
    get: (key) => asked((done) => client.getData(`${root}/${key}`, undefined, done)),
    watch: (key, onValue) => watch(client, `${root}/${key}`, onValue),
    close: () => client.close(),
  }
}

function asked<T extends readonly unknown[]>(call: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, ...values) => (error === null || error === undefined ? resolve(values) : reject(error)))
  })
}

/** The recipe "Locks" of ZooKeeper's documentation. */
async function lock(client: Client, folder: string): Promise<() => Promise<unknown>> {
  const empty = Buffer.alloc(0)
  const mode = library.CreateMode.EPHEMERAL_SEQUENTIAL
  const [path] = await asked<[string]>((done) => client.create(`${folder}/lock-`, empty, mode, done))
  const own = path.slice(folder.length + 1)
  const release = () => asked((done) => client.remove(path, anyVersion, done))
  for (;;) {
    const [children] = await asked<[string[]]>((done) => client.getChildren(folder, done))
    const before = children.filter((name) => name < own).sort()
    if (before.length === 0) return release
    await new Promise<void>((resolve, reject) => {
      client.exists(`${folder}/${before.at(-1)}`, resolve, (error, stat) => {
        if (error !== null && error !== undefined) reject(error)
        else if (stat === null || stat === undefined) resolve()
      })
    })
  }
}

async function increment(client: Client, path: string): Promise<void> {
  for (;;) {
    const [data, { version }] = await asked<[Buffer | undefined, Stat]>((done) =>
      client.getData(path, undefined, done as Done<[Buffer, Stat]>),
    )
    const next = Buffer.from(String(Number(data?.toString() ?? 0) + 1))
    const isWritten = await new Promise<boolean>((resolve, reject) => {
      client.setData(path, next, version, (error) => {
        if (error === null || error === undefined) resolve(true)
        else if ((error as { code?: number }).code === library.Exception.BAD_VERSION) resolve(false)
        else reject(error)
      })
    })
    if (isWritten) return
  }
}

/** A watch tells once: each event reads the value and watches anew. */
async function watch(client: Client, path: string, onValue: (value: string) => void): Promise<void> {
  const again = (): void => {
    client.getData(path, again, (error, data) => {
      if ((error === null || error === undefined) && data !== undefined) onValue(data.toString())
    })
  }
  await asked((done) => client.getData(path, again, done))
}
