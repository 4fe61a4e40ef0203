import { declareScripts } from './etcdctl/runner.ts'
import { historyScripts } from './etcdctl/history-scripts.ts'

declareScripts(historyScripts)
