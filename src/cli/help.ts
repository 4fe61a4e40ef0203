import { settings } from '../node/config/index.ts'
import { proxyCommandHelp, proxyHelp } from './proxy/index.ts'

const width = 42

function rows(lines: readonly (readonly [string, string])[]): string {
  return lines.map(([left, right]) => `  ${left.padEnd(width)}${right}`).join('\n')
}

const clientFlags = rows([
  ['--endpoints URL,URL', 'Nodes to ask (default 127.0.0.1:2379, or $SYNOD_ENDPOINTS).'],
  ['--json', 'One JSON object a line, for machines.'],
])

const holdFlags: readonly (readonly [string, string])[] = [
  ['--connect STRING', 'The engine (default $SYNOD_CONNECT, or the nodes of $SYNOD_ENDPOINTS).'],
  ['--wait S', 'Give up after so many seconds; 0: at once (default: never).'],
  ['--ttl S', 'How long a holder that went silent keeps it (default 10).'],
  ['--grace S', 'Between SIGTERM and SIGKILL (default 5).'],
  ['--json', 'What is told on standard error, as JSON.'],
]

/** The text of `--help` by command; the empty name is the overview. */
export const helpTexts: Readonly<Record<string, string>> = {
  '': `synod: a replicated key-value and coordination cluster that etcd clients can use

Usage: synod COMMAND [flags]

Run
${rows([
  ['up', 'Start a cluster of three nodes on this machine.'],
  ['node', 'Run one node, with etcd’s own settings.'],
  ['status', 'Show each node: role, term, revision, size.'],
  ['recover', 'Make a new cluster of one survivor.'],
  ['proxy run|check|import|render|sync', 'A reverse proxy; or nginx and HAProxy from the same file.'],
])}

Prove
${rows([
  ['sim', 'Run clusters in simulated worlds full of faults.'],
  ['chaos', 'Run a cluster of real processes under faults.'],
  ['check FILE', 'Judge a recorded history.'],
])}

Use
${rows([
  ['put KEY VALUE', 'Set a key.'],
  ['get KEY', 'Read a key, or a range.'],
  ['del KEY', 'Delete a key, or a range.'],
  ['watch KEY', 'Print changes as they happen.'],
  ['lease grant|revoke|keep-alive|list|ttl', 'Leases.'],
  ['member list|add|promote|remove|update', 'Who belongs to the cluster.'],
  ['lock NAME -- COMMAND', 'Run a program while holding a lock.'],
  ['elect NAME -- COMMAND', 'Run a program while leading.'],
  ['copy FROM TO', 'Move the data to another engine.'],
])}

  synod COMMAND --help tells more. synod --version prints the version.

Examples
  synod up
  synod put greeting hello
  synod get greeting
  etcdctl --endpoints=127.0.0.1:22379 get greeting`,

  up: `synod up: start a cluster on this machine

Each node is a process of its own on loopback; client ports are 2379, 22379, 32379, … or the next free ones. A node that
dies is started again. Ctrl-C ends all of them. Data stays in the data directory; the same command continues it.

Flags
${rows([
  ['--nodes 1|3|5', 'How many nodes (default 3).'],
  ['--data DIR', 'Where the data lives (default ./.synod).'],
  ['--consensus raft|paxos', 'The consensus algorithm of a new cluster (default raft).'],
  ['--ephemeral', 'Use a temporary directory, removed at the end.'],
  ['--json', 'Print events as JSON, one a line.'],
])}

Examples
  synod up
  synod up --nodes 1 --data /var/lib/synod
  synod up --ephemeral --json`,

  node: `synod node: run one node

The settings are etcd’s: as flags, as environment variables (--data-dir is ETCD_DATA_DIR), or as keys of a YAML file
given by --config-file.

Flags
${settings
  .map(
    (setting) => `  --${setting.flag}\n      ${setting.help}${setting.fallback === '' ? '' : ` [${setting.fallback}]`}`,
  )
  .join('\n')}

Examples
  synod node
  synod node --name n1 --data-dir /var/lib/synod \\
      --listen-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \\
      --initial-cluster n1=http://127.0.0.1:2380,n2=http://127.0.0.1:22380,n3=http://127.0.0.1:32380
  synod node --config-file /etc/synod.yaml`,

  recover: `synod recover: make a new cluster of one member, after a majority of the old one was lost for good

On the data directory of a stopped member. Everything that this member had stays, also the last entries of its log, of
which it cannot tell whether the old cluster ever acknowledged them. What the lost members had acknowledged and this one
never received is gone. The new cluster has this member alone and a new cluster id, so that no other member of the old one
can rejoin: add new ones with synod member add. The old log stays beside the new one.

Of several survivors take the one that wrote entries in the highest term, and among those the one with the highest last
index: --dry-run prints both. A log that is longer, but of an earlier term, may lack what was acknowledged.

Flags
${rows([
  ['--force-new-cluster', 'Really do it.'],
  ['--dry-run', 'Only say what would be kept.'],
  ['--data-dir DIR', 'The member’s data directory.'],
  ['--json', 'One JSON object, for machines.'],
])}

Examples
  synod recover --dry-run --data-dir /var/lib/synod
  synod recover --force-new-cluster --data-dir /var/lib/synod`,

  status: `synod status: show each node of a cluster

Asks a node of this machine which members there are, and shows all of them. With --endpoints (or $SYNOD_ENDPOINTS) it shows
the nodes named there, and no others.

Flags
${clientFlags}

Examples
  synod status
  synod status --endpoints 127.0.0.1:2379 --json`,

  put: `synod put KEY VALUE: set a key. A value of - is read from standard input.

Flags
${rows([['--lease ID', 'Tie the key to a lease (hexadecimal, as lease grant prints it).']])}
${clientFlags}

Examples
  synod put greeting hello
  synod put config/theme - < theme.json`,

  get: `synod get KEY: read a key, or a range

Flags
${rows([
  ['--prefix', 'All keys that begin with KEY.'],
  ['--limit N', 'At most N keys.'],
  ['--rev N', 'As of revision N.'],
  ['--keys-only', 'Keys without values.'],
  ['--stale', 'From the asked node’s own state, without asking the leader.'],
])}
${clientFlags}

Exit status is 1 when a single key is not there.

Examples
  synod get greeting
  synod get config/ --prefix --json`,

  del: `synod del KEY: delete a key, or a range. Prints how many were deleted.

Flags
${rows([['--prefix', 'All keys that begin with KEY.']])}
${clientFlags}

Examples
  synod del greeting
  synod del config/ --prefix`,

  watch: `synod watch KEY: print changes as they happen, until Ctrl-C

Flags
${rows([
  ['--prefix', 'All keys that begin with KEY.'],
  ['--rev N', 'Begin with the changes of revision N.'],
])}
${clientFlags}

Examples
  synod watch config/ --prefix
  synod watch greeting --rev 1 --json`,

  lease: `synod lease: leases, to which keys can be tied

  synod lease grant SECONDS       Make a lease; prints its id (hexadecimal).
  synod lease keep-alive ID       Renew it until Ctrl-C. With --once, once.
  synod lease ttl ID              Time left, and the keys tied to it.
  synod lease revoke ID           End it; its keys are deleted.
  synod lease list                All leases.

Flags
${clientFlags}

Examples
  id=$(synod lease grant 30)
  synod put worker/1 alive --lease $id
  synod lease keep-alive $id`,

  member: `synod member: who belongs to the cluster, while it works

  synod member list                                       All members.
  synod member add NAME --peer-urls URL[,URL] [--learner] Make room for one; prints the settings to start it with.
  synod member promote ID|NAME                            Make a learner that has caught up a voter.
  synod member remove ID|NAME                             Take one out, for good.
  synod member update ID|NAME --peer-urls URL[,URL]       Change where the others reach it.

A member is named by its id (hexadecimal, as list prints it) or its name; one that has not started yet has no name. To
replace a member that is lost, remove it first, then add the new one. A learner receives all writes and does not vote.

Flags
${clientFlags}

Examples
  synod member add n4 --peer-urls http://127.0.0.1:42380 --learner
  synod member promote n4
  synod member remove n1`,

  copy: `synod copy FROM TO: move the data of one engine to another

FROM and TO are connection strings: embedded:DIR, synod://HOST:PORT, etcd://HOST:PORT, zookeeper://HOST:PORT/ROOT. Copies
keys, counters, config, the registry's definitions, fences and jobs, and raises floors in TO, so that fencing tokens and ids
never go back. Locks, leaderships and whatever else hangs on a session stay: they are won anew. Both sides are compared by
digest at the end. Stop the programs that use FROM first.

Flags
${rows([
  ['--prefix P', 'Only keys that begin with P; may be repeated.'],
  ['--dry-run', 'Only say what would be done.'],
  ['--overwrite', 'Replace other values in TO; without it they end the copy before it begins.'],
  ['--resume', 'Go on where an unfinished copy ended.'],
  ['--json', 'The result as one JSON object.'],
])}

Examples
  synod copy --dry-run embedded:./data synod://127.0.0.1:2379
  synod copy etcd://10.0.0.1:2379,10.0.0.2:2379 synod://127.0.0.1:2379`,

  lock: `synod lock NAME -- COMMAND [ARGUMENT…]: run a program while holding a lock

Waits until the lock is free, runs COMMAND, and lets go when it ends. The program finds the lock's name in $SYNOD_LOCK and its
fencing token, which rises with each grant, in $SYNOD_FENCING_TOKEN: let whatever it changes refuse lower ones. When the lock
is lost while the program runs (no node could be reached for the time to live), the program gets SIGTERM, then SIGKILL.

Flags
${rows(holdFlags)}

Exit status is the program's; 75 when the lock was not free within --wait, 76 when it was lost, 127 when there is no COMMAND.

Examples
  synod lock nightly-report --wait 0 -- ./report.sh
  synod lock migrate --connect etcd://10.0.0.1:2379 -- npm run migrate`,

  elect: `synod elect NAME -- COMMAND [ARGUMENT…]: run a program while leading

Stands for the election, runs COMMAND once it leads, and resigns when it ends. When leadership is lost the program gets
SIGTERM, then SIGKILL, and it stands again. $SYNOD_ELECTION and $SYNOD_FENCING_TOKEN tell the program what it leads.

Flags
${rows([['--value TEXT', 'What others see of this leader (default HOST:PID).'], ...holdFlags])}

Exit status is the program's; 75 when others led all through --wait, 127 when there is no COMMAND.

Examples
  synod elect scheduler -- node scheduler.js`,

  sim: `synod sim: prove it in simulated worlds

Runs whole clusters in this process, on simulated clocks, networks and disks, under faults drawn from a seed, and judges what
clients saw. The same seed gives the same run. docs/fault-model.md says what is promised under which faults.

Flags
${rows([
  ['--scenario NAME', 'What befalls the cluster (default swarm: anything; all: each in turn).'],
  ['--seed N', 'The world to run (default 0).'],
  ['--seeds COUNT', 'That many worlds: seeds N+1 to N+COUNT.'],
  ['--for S', 'Begin no world after that many seconds.'],
  ['--consensus raft|paxos', 'The algorithm (default raft).'],
  ['--nodes N', 'How many members found the cluster.'],
  ['--duration S', 'How long it is attacked, in simulated seconds.'],
  ['--plant NAME|all|list', 'Put a known mistake into the code, and see it caught.'],
  ['--history FILE', 'Write what clients saw, for synod check: of one seed, or of a failed one.'],
  ['--list', 'Name the scenarios.'],
  ['--json', 'One JSON object a world, for machines.'],
])}

Exit status is 1 when a world failed. A failure names its seed and prints the line that replays it.

Examples
  synod sim --seeds 100
  synod sim --scenario clock-drift --seed 42 --history /tmp/h.jsonl`,

  proxy: proxyHelp,
  ...Object.fromEntries(Object.entries(proxyCommandHelp).map(([command, text]) => [`proxy ${command}`, text])),

  check: `synod check FILE: judge a recorded history

Tells whether the operations have a linear order, and of our own records whether every other property holds too. Prints the
operations that fit no order, and draws them with all that is around them.

FILE holds our JSON lines (as synod sim and synod chaos write them), a Jepsen log (INFO jepsen.util - 3 :invoke :read nil),
or a Knossos history in EDN of a cas-register, a multi-register or a mutex. A FILE of - is read from standard input.

Flags
${rows([
  ['--format auto|jsonl|jepsen|edn', 'What the file is (default auto).'],
  ['--model NAME', 'register, cas-register, multi-register or mutex (default: as the operations are).'],
  ['--initial EDN', 'What registers begin with, like 0 or {:x 0 :y 0} (default nil; EDN: nil or else 0).'],
  ['--steps N', 'Give up after trying N operations (default 30 million).'],
  ['--html OUT', 'Write the timeline there (default FILE.html when something is wrong; none for -).'],
  ['--no-html', 'Write none.'],
  ['--json', 'One JSON object, for machines.'],
])}

Exit status is 0 if it is linearizable (and all else holds), 1 if not, 2 if it could not be told within the bound, 64 if the
file or the command line cannot be read.

Examples
  synod check history.jsonl
  synod check etcd_042.log --html etcd.html
  synod check registers.edn --initial '{:x 0 :y 0}'`,

  chaos: `synod chaos: prove it on real processes

Starts a cluster of real nodes on loopback with a relay between every two of them, drives it with clients, kills, stops,
cuts, slows and restarts, and then judges what the clients saw. Needs no root. The seed gives the faults, their order and
their planned times; what they hit takes real time, so a run is not repeated exactly. docs/chaos.md tells more.

Flags
${rows([
  ['--consensus raft|paxos', 'The algorithm (default raft).'],
  ['--nodes 3|5', 'How many nodes (default 3).'],
  ['--duration S', 'How long faults go on, in seconds (default 60).'],
  ['--seed TEXT', 'From which faults and operations are drawn (default: a new one).'],
  ['--clients N', 'How many clients (default 20).'],
  ['--rate N', 'Operations a second that they aim at together (default 1000).'],
  ['--faults LIST', 'Which faults, comma-separated; all (default), or none.'],
  ['--list', 'Name the faults.'],
  ['--data DIR', 'An empty directory for data and logs (default: a temporary one, kept only on failure).'],
  ['--history FILE', 'Where the history is written (default: history.jsonl in the data directory).'],
  ['--json', 'The result as one JSON object.'],
])}

Exit status is 0 when everything holds, 1 when something does not or there was no progress, 2 when it cannot be told.

Examples
  synod chaos
  synod chaos --consensus paxos --nodes 5 --duration 120 --seed 7
  synod chaos --faults kill,stop,partition --history /tmp/history.jsonl`,
}
