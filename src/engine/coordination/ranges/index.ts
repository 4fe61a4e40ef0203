export { checkRevision, evaluateInSteps, evaluateKey, evaluateNow } from './evaluate.ts'
