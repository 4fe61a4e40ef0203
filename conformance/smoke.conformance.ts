// The part of the etcdctl suite that `npm test` runs: the scripts marked `smoke`, with the current etcdctl.
import { clusterScripts } from './etcdctl/cluster-scripts.ts'
import { concurrencyScripts } from './etcdctl/concurrency-scripts.ts'
import { historyScripts } from './etcdctl/history-scripts.ts'
import { kvScripts } from './etcdctl/kv-scripts.ts'
import { leaseScripts } from './etcdctl/lease-scripts.ts'
import { memberScripts } from './etcdctl/member-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'
import { txnScripts } from './etcdctl/txn-scripts.ts'
import { watchScripts } from './etcdctl/watch-scripts.ts'

const groups = [kvScripts, txnScripts, watchScripts, leaseScripts, concurrencyScripts, historyScripts, clusterScripts]
const scripts = groups.flatMap((group) =>
  group.scripts
    .filter((script) => script.smoke)
    .map((script) => ({ ...script, name: `${group.name}: ${script.name}` })),
)

declareScripts({ name: 'smoke', scripts }, ['etcdctl36'])
const memberSmoke = memberScripts.scripts.filter((script) => script.smoke)
declareScripts({ ...memberScripts, name: 'smoke: members', scripts: memberSmoke }, ['etcdctl36'])
