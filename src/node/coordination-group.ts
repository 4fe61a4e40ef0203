/** What the coordination plane's consensus group is made of, for running it and for recovering what is left of it. */
import { CoordinationStateMachine, type Member } from '../engine/coordination/index.ts'
import { type Algorithm, paxosAlgorithm, raftAlgorithm } from '../engine/replication/index.ts'
import { MemoryStore, MemoryStoreLoader } from '../storage/mvcc/index.ts'
import type { Consensus } from './config/index.ts'

/** Its number on this node. */
export const coordinationGroup = 1

/** A group carries the messages of its own algorithm only: nobody else looks into them. */
export const algorithms: Readonly<Record<Consensus, Algorithm<unknown>>> = {
  raft: raftAlgorithm as Algorithm<unknown>,
  paxos: paxosAlgorithm as Algorithm<unknown>,
}

/** `founders`: the same on all nodes, for good. */
export function createStateMachine(founders: readonly Member[]): CoordinationStateMachine {
  return new CoordinationStateMachine(
    { create: () => new MemoryStore(), loader: () => new MemoryStoreLoader() },
    founders,
  )
}
