/** Which engine keeps which promises of the plane, and why one does not. */
import type { PlaneEngine } from '../../index.ts'
import type { PlanePromise, PromiseLevel } from './ground.ts'

const levels: readonly PromiseLevel[] = ['every', 'coordination', 'history']

/** How far each engine goes. */
const levelOf: Readonly<Record<PlaneEngine, PromiseLevel>> = {
  embedded: 'history',
  synod: 'history',
  etcd: 'history',
  zookeeper: 'coordination',
  redis: 'every',
}

const zookeeperHistory: Readonly<Record<string, string>> = {
  'Keys and values': 'ZooKeeper keeps only the newest state of a key: no read is as of an earlier moment.',
  Transactions: 'A ZooKeeper transaction names its nodes one by one: it cannot list or delete a range.',
  Watches: 'A ZooKeeper watch tells that something changed, not each change: `latest` converges, history is not kept.',
  'Versioned data': 'ZooKeeper keeps only the newest state of a key: there is no history to read.',
}

const redisMissing: Readonly<Record<string, string>> = {
  'Keys and values': 'Redis has no revisions, and a write that it acknowledged may be lost in a failover.',
  Transactions: 'Redis has no revisions to decide on, and no two keys are certain to survive together.',
  Watches:
    'Redis tells changes to whoever listens just then, once at most: after a broken connection some are missing.',
  Sessions:
    'No session of the program’s own on Redis: what a connection holds ends together, and nothing apart from it.',
  Locks:
    'Redis has no sessions of the program’s own to hang a lock on: its locks end with the connection that took them.',
  'Read/write locks': 'Not offered on Redis: what it can keep of locks are the mutex and the semaphore.',
  'Multi-locks': 'Not offered on Redis, where no two keys are certain to survive a failure together.',
  Fences: 'Needs durable transactions next to the data; guard the resource itself with the token instead.',
  Elections: 'Needs sessions and reliable notice of their end.',
  Barriers: 'Needs reliable notice of changes.',
  Counters: 'Not offered on Redis, where one counter is fast enough for many writers.',
  Schedules: 'Needs an election.',
  Queues: 'Needs sessions: a claim must end with its worker.',
  'Versioned data': 'Redis has no versions.',
  Config: 'Needs reliable notice of changes.',
  Registry: 'Needs sessions and reliable notice of their end.',
  Failover: 'Needs an election.',
}

const alone = 'The engine lives inside one program: no other one reaches it.'

/** Why `engine` does not keep it; undefined when it does. */
export function whyNot(engine: PlaneEngine, promise: Omit<PlanePromise, 'body'>): string | undefined {
  const { section, level, between } = promise
  if (engine === 'embedded' && between === 'programs') return alone
  if (levels.indexOf(level) <= levels.indexOf(levelOf[engine])) return undefined
  const reasons = engine === 'zookeeper' ? zookeeperHistory : redisMissing
  const reason = reasons[section]
  if (reason === undefined) throw new Error(`nobody has said why ${engine} does not keep all of: ${section}`)
  return reason
}
