import { declareScripts } from './etcdctl/runner.ts'
import { kvScripts } from './etcdctl/kv-scripts.ts'

declareScripts(kvScripts)
