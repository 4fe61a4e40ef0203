// Real clusters as the driver for etcd's protocol meets them: each client reaches the members through relays of its own.

import type { DriverSubject } from '../../src/client/contract/index.ts'
import type { ClientRuntime, Driver } from '../../src/client/driver/index.ts'
import { type EtcdDriverOptions, openEtcdDriver } from '../../src/client/drivers/etcd/index.ts'
import { compact } from '../../src/client/drivers/etcd/testing/compaction.ts'
import { createNodeRuntime } from '../../src/runtime/node/index.ts'
import type { Cluster, ServerKind } from '../cluster.ts'
import { Relay } from './zookeeper-relay.ts'

/** The outside world as a program has it; only errors are logged. */
export const outside: ClientRuntime = createNodeRuntime({ logLevel: 'error' })

export function engineOf(kind: ServerKind): 'synod' | 'etcd' {
  return kind === 'synod' ? 'synod' : 'etcd'
}

export function endpointsOf(cluster: Cluster) {
  return cluster.members.map((member) => ({ host: '127.0.0.1', port: member.clientPort }))
}

/** A driver, and what lies between it and each member, in their order. */
export interface RelayedDriver {
  readonly driver: Driver
  readonly relays: readonly Relay[]
  close(): Promise<void>
}

export async function openRelayed(
  cluster: Cluster,
  options: Partial<Omit<EtcdDriverOptions, 'endpoints'>> = {},
): Promise<RelayedDriver> {
  const relays = await Promise.all(cluster.members.map((member) => Relay.to(member.clientPort)))
  const endpoints = relays.map((relay) => ({ host: '127.0.0.1', port: relay.port }))
  const driver = await openEtcdDriver({ engine: engineOf(cluster.kind), ...options, endpoints }, outside)
  return {
    driver,
    relays,
    close: async () => {
      await driver.close()
      for (const relay of relays) relay.close()
    },
  }
}

/** What the driver's contract is run on: one cluster, and a client of its own for each caller. */
export async function clusterSubject(cluster: Cluster): Promise<DriverSubject> {
  const { driver, relays, close } = await openRelayed(cluster)
  const another = () => openEtcdDriver({ engine: engineOf(cluster.kind), endpoints: endpointsOf(cluster) }, outside)
  return {
    driver,
    another,
    reopen: async () => {
      await driver.close()
      await Promise.all(cluster.members.map((member) => member.stop()))
      for (const member of cluster.members) member.start()
      await cluster.ready()
      return another()
    },
    compact: (revision) => compact(outside, endpointsOf(cluster)[0]!, revision),
    cut: () => {
      for (const relay of relays) relay.cut()
      return Promise.resolve(() => {
        for (const relay of relays) relay.mend()
        return Promise.resolve()
      })
    },
    close,
  }
}
