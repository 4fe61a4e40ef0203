import { clusterScripts } from './etcdctl/cluster-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'

declareScripts(clusterScripts)
