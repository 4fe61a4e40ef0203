/** Faults that are asked for over the wire: changes that operators make while everything else goes on. */
import { performance } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../../base/index.ts'
import { RpcFailure } from '../client/rpc-failure.ts'
import type { ChaosNode } from '../cluster/chaos-node.ts'
import type { Fault } from './nemesis.ts'
import { controlTimeoutMs, type FaultScene } from './scene.ts'

/** So many revisions stay behind the newest when history is compacted. */
const revisionsKept = 2000
/** A learner catches up, and a removal commits, in so many milliseconds when nothing else is wrong; much else may be. */
const memberStepTimeoutMs = 20_000
const retryMs = 200
const unimplemented = 12
const notFound = 5

export const moveLeader: Fault = async (scene, _planned, random, tell) => {
  const { leader } = scene
  const others = scene.cluster.nodes.filter((node) => node !== leader)
  const target = others[random.below(others.length)]
  if (leader === undefined || target === undefined) return
  tell(`ask ${leader.name} to let ${target.name} lead`)
  const refused = await attempt(async () => {
    const { memberId } = await scene.client(target).status(controlTimeoutMs)
    await scene.client(leader).moveLeader(memberId, controlTimeoutMs)
  })
  if (refused !== undefined) tell(`not done: ${refused.message}`)
}

export const compact: Fault = async (scene, _planned, random, tell) => {
  const node = scene.pickNode(random)
  const refused = await attempt(async () => {
    const { revision } = await scene.client(node).status(controlTimeoutMs)
    if (revision <= revisionsKept) return
    tell(`compact up to revision ${revision - revisionsKept}`)
    await scene.client(node).compact(revision - revisionsKept, controlTimeoutMs)
  })
  if (refused !== undefined) tell(`not answered: ${refused.message}`)
}

/** Adds a learner, lets it catch up, promotes it, and removes it; each step is tried until it is done or time is up. */
export const member: Fault = async (scene, { holdMs }, random, tell) => {
  const name = scene.nameJoiner()
  const place = await scene.cluster.prepareNode(name)
  const memberId = await add(scene, place.peerUrl, random, (why) => tell(`${name} not added: ${why}`))
  if (memberId === undefined) return scene.cluster.retireNode(name)
  tell(`learner ${name} added`)
  const node = place.start(memberId)
  const promoted = await stepped(scene, (at) => scene.client(at).promoteMember(memberId, controlTimeoutMs))
  tell(promoted === undefined ? `${name} not promoted` : `${name} promoted`)
  await scene.hold(holdMs)
  // A member that learns of its removal ends by itself.
  node.allowEnd()
  const removed = await stepped(scene, async (at) => {
    const refused = await attempt(() => scene.client(at).removeMember(memberId, controlTimeoutMs))
    if (refused !== undefined && refused.status !== notFound) throw refused
  })
  tell(removed === undefined ? `${name} not removed` : `${name} removed`)
  if (removed !== undefined) await scene.cluster.retireNode(name)
}

/** Resolves with the new member's id, or undefined when it was not added. */
async function add(
  scene: FaultScene,
  peerUrl: string,
  random: Prng,
  refuse: (why: string) => void,
): Promise<string | undefined> {
  let added: string | undefined
  const refused = await attempt(async () => {
    added = (await scene.client(scene.pickNode(random)).addMember(peerUrl, true, controlTimeoutMs)).id
  })
  if (added !== undefined) return added
  if (refused?.status === unimplemented) {
    refuse('this cluster cannot change its members')
    return undefined
  }
  // An answer may be lost and the deed done: the member list knows.
  const listed = await stepped(scene, async (at) => {
    const members = await scene.client(at).members(controlTimeoutMs)
    return members.find(({ peerUrls }) => peerUrls.includes(peerUrl))?.id
  })
  if (listed?.value === undefined) refuse(refused?.message ?? 'no answer')
  return listed?.value
}

/** The faults of this file by their names. */
export const controlFaults = { 'move-leader': moveLeader, compact, member }

/** Undefined when `call` was answered; else why not. */
async function attempt(call: () => Promise<void>): Promise<RpcFailure | undefined> {
  try {
    await call()
    return undefined
  } catch (error) {
    if (error instanceof RpcFailure) return error
    throw error
  }
}

/** Tries `step` at one founder after another until one carries it out; undefined when time is up. */
async function stepped<Value>(
  scene: FaultScene,
  step: (node: ChaosNode) => Promise<Value>,
): Promise<{ readonly value: Value } | undefined> {
  const startMs = performance.now()
  const { founders } = scene.cluster
  for (let turn = 0; performance.now() - startMs < memberStepTimeoutMs; turn++) {
    let done: { readonly value: Value } | undefined
    await attempt(async () => {
      done = { value: await step(founders[turn % founders.length]!) }
    })
    if (done !== undefined) return done
    await delay(retryMs)
  }
  return undefined
}
