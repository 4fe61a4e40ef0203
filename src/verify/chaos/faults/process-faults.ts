/** Faults of processes: killed, restarted, stopped. */
import type { Fault } from './nemesis.ts'
import { shuffled } from './sides.ts'

/** Kills a node and starts it again after the hold. */
export const kill: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  tell(`SIGKILL ${scene.describe(node)}`)
  await node.kill()
  await scene.hold(holdMs)
  node.start()
}

export const killAll: Fault = async (scene, { holdMs }, random, tell) => {
  const nodes = scene.cluster.nodes
  tell('SIGKILL every node')
  await Promise.all(nodes.map((node) => node.kill()))
  // They come back one after another.
  const order = shuffled(nodes, random)
  for (const node of order) {
    await scene.hold(holdMs / order.length)
    node.start()
  }
}

/** Asks a node to end in order; one that must be killed for it is a finding. */
export const restart: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  tell(`SIGTERM ${scene.describe(node)}`)
  const inOrder = await node.stop()
  if (!inOrder) tell(`${node.name} did not end when asked`)
  await scene.hold(holdMs)
  node.start()
}

export const stop: Fault = async (scene, { holdMs }, random, tell) => {
  const node = scene.pickNode(random)
  tell(`SIGSTOP ${scene.describe(node)}`)
  node.pause()
  await scene.hold(holdMs)
  node.resume()
}

/** The faults of this file by their names. */
export const processFaults = { kill, outage: kill, 'kill-all': killAll, restart, stop }
