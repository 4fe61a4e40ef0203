/** The faults that chaos knows, by the names that `--faults` takes. */

/**
 * What a fault takes hold of. One fault of each lane is under way at a time: a node can be cut off while another is
 * restarting and a third is asked to lead.
 */
export type Lane = 'process' | 'network' | 'control'

export interface FaultKind {
  readonly name: string
  readonly lane: Lane
  /** How often it is drawn, relative to the others of its lane. */
  readonly weight: number
  /** How long it holds, in milliseconds. */
  readonly holdMsMin: number
  readonly holdMsMax: number
  /** It makes sense with so many nodes or more. */
  readonly nodesMin: number
  readonly summary: string
}

export const faultKinds = [
  {
    name: 'kill',
    lane: 'process',
    weight: 5,
    holdMsMin: 50,
    holdMsMax: 1500,
    nodesMin: 1,
    summary: 'SIGKILL a node, the leader half of the time; start it again soon.',
  },
  {
    name: 'outage',
    lane: 'process',
    weight: 2,
    holdMsMin: 3000,
    holdMsMax: 8000,
    nodesMin: 3,
    summary: 'SIGKILL a node and start it again much later.',
  },
  {
    name: 'kill-all',
    lane: 'process',
    weight: 1,
    holdMsMin: 50,
    holdMsMax: 1000,
    nodesMin: 1,
    summary: 'SIGKILL every node at once and start them again.',
  },
  {
    name: 'restart',
    lane: 'process',
    weight: 2,
    holdMsMin: 50,
    holdMsMax: 1500,
    nodesMin: 1,
    summary: 'SIGTERM a node; start it again when it has ended.',
  },
  {
    name: 'stop',
    lane: 'process',
    weight: 4,
    holdMsMin: 200,
    holdMsMax: 4000,
    nodesMin: 1,
    summary: 'SIGSTOP a node, the leader half of the time; SIGCONT later.',
  },
  {
    name: 'partition',
    lane: 'network',
    weight: 3,
    holdMsMin: 500,
    holdMsMax: 5000,
    nodesMin: 2,
    summary: 'Cut the nodes into two sides at random.',
  },
  {
    name: 'isolate',
    lane: 'network',
    weight: 3,
    holdMsMin: 500,
    holdMsMax: 5000,
    nodesMin: 2,
    summary: 'Cut one node off, the leader half of the time.',
  },
  {
    name: 'one-way',
    lane: 'network',
    weight: 3,
    holdMsMin: 500,
    holdMsMax: 4000,
    nodesMin: 2,
    summary: 'One node is heard by nobody, or hears nobody; the other way works.',
  },
  {
    name: 'bridge',
    lane: 'network',
    weight: 2,
    holdMsMin: 500,
    holdMsMax: 4000,
    nodesMin: 3,
    summary: 'Two sides that reach each other through one node only.',
  },
  {
    name: 'flap',
    lane: 'network',
    weight: 2,
    holdMsMin: 1000,
    holdMsMax: 5000,
    nodesMin: 2,
    summary: 'Cut one node off and let it back, several times a second.',
  },
  {
    name: 'slow',
    lane: 'network',
    weight: 2,
    holdMsMin: 1000,
    holdMsMax: 6000,
    nodesMin: 2,
    summary: 'What one node sends and receives arrives 5 to 150 ms late, and jitters.',
  },
  {
    name: 'narrow',
    lane: 'network',
    weight: 2,
    holdMsMin: 1000,
    holdMsMax: 5000,
    nodesMin: 2,
    summary: 'One node’s links carry 8 to 128 KiB a second.',
  },
  {
    name: 'reset',
    lane: 'network',
    weight: 2,
    holdMsMin: 200,
    holdMsMax: 2000,
    nodesMin: 2,
    summary: 'Reset connections between nodes, again and again.',
  },
  {
    name: 'move-leader',
    lane: 'control',
    weight: 3,
    holdMsMin: 0,
    holdMsMax: 0,
    nodesMin: 2,
    summary: 'Ask the leader to hand leadership to another node.',
  },
  {
    name: 'compact',
    lane: 'control',
    weight: 1,
    holdMsMin: 0,
    holdMsMax: 0,
    nodesMin: 1,
    summary: 'Compact all but the newest history.',
  },
  {
    name: 'member',
    lane: 'control',
    weight: 2,
    holdMsMin: 500,
    holdMsMax: 4000,
    nodesMin: 3,
    summary: 'Add a learner, promote it, and remove it again.',
  },
] as const satisfies readonly FaultKind[]

export type FaultName = (typeof faultKinds)[number]['name']

/** Every fault's name. */
export const faultNames: readonly FaultName[] = faultKinds.map((kind) => kind.name)
