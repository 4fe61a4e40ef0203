import { declareScripts } from './etcdctl/runner.ts'
import { txnScripts } from './etcdctl/txn-scripts.ts'

declareScripts(txnScripts)
