import { declareScripts } from './etcdctl/runner.ts'
import { clusterScripts } from './etcdctl/cluster-scripts.ts'

declareScripts(clusterScripts)
