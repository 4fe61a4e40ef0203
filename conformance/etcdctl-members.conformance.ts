import { memberReplacementScripts, memberScripts } from './etcdctl/member-scripts.ts'
import { declareScripts } from './etcdctl/runner.ts'

declareScripts(memberScripts)
declareScripts(memberReplacementScripts)
