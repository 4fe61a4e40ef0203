import { kvScripts } from './etcdctl/kv-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'

declareScripts(kvScripts)
