import { declareScripts } from './etcdctl/runner.ts'
import { leaseScripts } from './etcdctl/lease-scripts.ts'

declareScripts(leaseScripts)
