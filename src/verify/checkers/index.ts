export {
  checkLinearizability,
  type LinearizabilityOptions,
  type LinearizabilityResult,
} from './linearizability/check-linearizability.ts'
export { linearizability, linearizabilityChecker } from './linearizability/checker.ts'
export { describeOperation } from './linearizability/wording.ts'
