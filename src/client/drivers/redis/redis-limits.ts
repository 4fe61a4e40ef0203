/** What Redis cannot promise, and what follows from it: for `docs/engines.md`, and for who is told `NOT_SUPPORTED`. */

export interface EngineLimit {
  /** What is asked for. */
  readonly promise: string
  /** Why Redis does not keep it, and what to do instead. */
  readonly why: string
}

export const redisLimits: readonly EngineLimit[] = [
  {
    promise: 'A lock survives the failure of its server',
    why:
      'Replication is asynchronous, and with any appendfsync but always so is the disk. A failover or a crash may forget ' +
      'that a lock is held, and give it to another while the first still works. Tokens are at least the time of the server ' +
      'in microseconds, so that the new holder has the greater one as long as the clocks of the two servers do not differ ' +
      'by more than the failover took; let the resource refuse lower tokens.',
  },
  {
    promise: 'Acknowledged counts stay',
    why:
      'They stay as long as the server keeps its data: see plane.durability. A failover may take back what it had not ' +
      'replicated. Ids are not given twice unless the clock of the server also went back.',
  },
  {
    promise: 'Sessions end by elapsed time',
    why:
      'Redis counts by its wall clock. When that is set forward, sessions end early, and a holder learns of it from its ' +
      'next renewal only. Let the clock of the server be slewed, not stepped.',
  },
  {
    promise: 'kv, watches, transactions, versioned data, config, registry',
    why:
      'Redis keeps neither versions of keys nor a log that a watch could resume from, and its notifications are lost when ' +
      'nobody listens. Use etcd, ZooKeeper or Synod.',
  },
  {
    promise: 'Elections, barriers, queues, schedules',
    why:
      'They hang on keys that go with a session and on hearing of it for certain. A lock with its fencing token can be ' +
      'had; for the rest use etcd, ZooKeeper or Synod.',
  },
  {
    promise: 'Redis Cluster, Sentinel, replicas, eviction',
    why:
      'A script sees the keys of one server only, a replica may be behind, and a server that evicts deletes locks that are ' +
      'held. Such servers are refused when connecting. Connect to the primary; the client does not ask Sentinels.',
  },
  {
    promise: 'Locks shared with redlock or other libraries',
    why: 'The keys differ. Stop the one before you start the other, or give them different resources.',
  },
]
