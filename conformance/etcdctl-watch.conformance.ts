import { declareScripts } from './etcdctl/runner.ts'
import { watchScripts } from './etcdctl/watch-scripts.ts'

declareScripts(watchScripts)
