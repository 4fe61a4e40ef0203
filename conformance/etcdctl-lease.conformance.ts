import { leaseScripts } from './etcdctl/lease-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'

declareScripts(leaseScripts)
