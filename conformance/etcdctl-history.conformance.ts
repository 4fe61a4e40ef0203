import { historyScripts } from './etcdctl/history-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'

declareScripts(historyScripts)
