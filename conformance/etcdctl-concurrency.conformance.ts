import { concurrencyScripts } from './etcdctl/concurrency-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'

declareScripts(concurrencyScripts)
