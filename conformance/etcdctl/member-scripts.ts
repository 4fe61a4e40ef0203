import type { Run, ScriptGroup } from './script.ts'

/** A new member's id, and what `member add` says its --initial-cluster is. The order of members follows their ids. */
const added = {
  mask: [[/(Member|cluster) +/g, '$1 ']],
  capture: { NEW: /Member +([0-9a-f]+) added/, INITIAL: /ETCD_INITIAL_CLUSTER="([^"]*)"/ },
} as const
/** Ids are printed sixteen wide. */
const ids = { mask: added.mask } as const
const list: Run = { run: 'member list', unordered: true }
const statusTexts = [
  [/\b\d+(\.\d+)? [kMG]?B\b/g, '<size>'],
  [/\| +(true|false) \| +(true|false) \| +\d+ \| +\d+ \| +\d+ \|/g, '| <leads> | $2 | <term> | <index> | <applied> |'],
  [/\b(true|false), (true|false), \d+, \d+, \d+,/g, '<leads>, $2, <term>, <index>, <applied>,'],
  [/\b\d+%/g, '<share>'],
  [/\b3\.\d+\.\d+\b/g, '<version>'],
] as const

/** etcd takes a connection for one when it has lasted five seconds, and changes no members before. */
const connected = { pauseMs: 5500 } as const

const allForms: readonly Run[] = ['simple', 'table', 'json', 'fields'].map((form) => {
  return { run: `member list -w ${form}`, unordered: true }
})

/** Changes that begin with one member. */
export const memberScripts: ScriptGroup = {
  name: 'members, from one',
  nodes: 1,
  spares: 2,
  fresh: true,
  scripts: [
    {
      name: 'what is refused',
      smoke: true,
      steps: [
        'member remove 1234',
        'member remove 1234 -w json',
        'member update 1234 --peer-urls=http://127.0.0.1:9',
        'member promote 1234',
        'member remove',
        'member remove nonsense',
        'member add',
        'member add n2',
        'member add n2 --peer-urls=nonsense',
        'member add n2 --peer-urls=http://127.0.0.1',
        'member add n2 --peer-urls=http://127.0.0.1:1/path',
        'member add n2 --peer-urls={PEER_n1}',
        'member add n2 --peer-urls={PEER_n2},{PEER_n1} --learner',
        'member update {ID_n1}',
        'member update {ID_n1} --peer-urls=nonsense',
        'member promote {ID_n1}',
        'member remove {ID_n1}',
        ...allForms,
      ],
    },
    {
      name: 'voters: one, two, three, and back',
      steps: [
        'put a 1',
        { run: 'member add n2 --peer-urls={PEER_n2}', ...added },
        { run: 'member add n3 --peer-urls={PEER_n3}' },
        { join: 'n2' },
        { ...list, untilOk: true },
        { run: 'get a', member: 1 },
        { run: 'put b 2', member: 1 },
        'get b',
        connected,
        { run: 'member add n3 --peer-urls={PEER_n2}' },
        { run: 'member add n3 --peer-urls={PEER_n3}', ...added },
        { join: 'n3' },
        ...allForms,
        { run: 'get a b --from-key=false', member: 2 },
        { run: 'endpoint status -w table', everyMember: true, mask: statusTexts },
        {
          run: 'member update {NEW} --peer-urls={PEER_n3},http://127.0.0.1:9',
          mask: [[/127\.0\.0\.1:9\b/g, '<more>'], ...added.mask],
        },
        { ...list, mask: [[/127\.0\.0\.1:9\b/g, '<more>']] },
        { run: 'member update {NEW} --peer-urls={PEER_n1}' },
        { run: 'member update {NEW} --peer-urls={PEER_n3}', ...ids },
        connected,
        { run: 'member remove {NEW}', ...ids },
        { leaves: 'n3' },
        'member remove {NEW}',
        'member promote {NEW}',
        list,
        'put c 3',
        { run: 'get c', member: 1 },
      ],
    },
    {
      name: 'a learner, from its addition to its vote',
      steps: [
        'put a 1',
        { run: 'member add n2 --peer-urls={PEER_n2} --learner', ...added },
        ...allForms,
        { run: 'member add n3 --peer-urls={PEER_n3} --learner' },
        'member promote {NEW}',
        { join: 'n2' },
        { ...list, untilOk: true },
        { run: 'get a', member: 1 },
        { run: 'get a --consistency=s', member: 1, untilOk: true },
        { run: 'put a 2', member: 1 },
        { run: 'member list', member: 1 },
        { run: 'lease list', member: 1 },
        { run: 'watch a', member: 1 },
        { run: 'endpoint health', member: 1 },
        { run: 'endpoint status', member: 1, mask: statusTexts },
        { run: 'move-leader {NEW}' },
        { run: 'member promote {NEW}', untilOk: true, ...ids },
        'member promote {NEW}',
        ...allForms,
        { run: 'put a 3', member: 1 },
        { run: 'get a', member: 1 },
        { run: 'endpoint status', everyMember: true, mask: statusTexts },
        connected,
        { run: 'member remove {NEW}', ...ids },
        // etcd's removed one of two may never hear of it, and goes on.
        list,
        'put a 4',
      ],
    },
  ],
}

/** Changes of a cluster of three. */
export const memberReplacementScripts: ScriptGroup = {
  name: 'members, of three',
  spares: 1,
  fresh: true,
  scripts: [
    {
      name: 'a member that is lost is replaced',
      steps: [
        'put a 1',
        connected,
        { crash: 'n3' },
        // If it led, another must be elected.
        { pauseMs: 3000 },
        { run: 'member add n4 --peer-urls={PEER_n4}', member: 0 },
        { run: 'member add n4 --peer-urls={PEER_n4} --learner', member: 0 },
        { run: 'member remove {ID_n2}', member: 0 },
        { run: 'member remove {ID_n3}', member: 0, ...ids },
        { ...list, member: 0, untilOk: true },
        { run: 'member add n4 --peer-urls={PEER_n4}', member: 0, ...added },
        { join: 'n4' },
        { ...list, member: 0, untilOk: true },
        { run: 'put b 2', member: 3 },
        { run: 'get b', member: 0 },
        { run: 'get a', member: 3 },
      ],
    },
    {
      name: 'a live member leaves',
      steps: [
        connected,
        { run: 'member remove {ID_n3}', member: 0, ...ids },
        { leaves: 'n3' },
        { ...list, member: 0, untilOk: true },
        { run: 'put a 1', member: 1, untilOk: true },
        { run: 'get a', member: 0 },
        { run: 'member remove {ID_n3}', member: 0 },
      ],
    },
  ],
}
