import { declareScripts } from './etcdctl/runner.ts'
import { concurrencyScripts } from './etcdctl/concurrency-scripts.ts'

declareScripts(concurrencyScripts)
