import type { Checker } from '../../history/index.ts'
import { checkLinearizability, type LinearizabilityOptions } from './check-linearizability.ts'
import { explainDeadEnd } from './explanation.ts'
import { counted } from './wording.ts'

/** Every operation seems to take effect at one moment between its invocation and its return (Herlihy and Wing, 1990). */
export const linearizability: Checker = linearizabilityChecker()

export function linearizabilityChecker(options: LinearizabilityOptions = {}): Checker {
  const property = 'linearizability'
  return {
    property,
    check: (history) => {
      const result = checkLinearizability(history, options)
      if (result.verdict === 'linearizable') return { verdict: 'valid', checked: result.checked }
      const explained = explainDeadEnd(result.failure!)
      if (result.verdict === 'not linearizable')
        return { verdict: 'invalid', property, explanation: explained.text, evidence: explained.evidence }
      return {
        verdict: 'unknown',
        property,
        explanation:
          `Neither an order nor its impossibility was found in ${counted(result.steps, 'step')}, in an object of ${counted(result.failure!.operations.length, 'operation')}. ${explained.text}`.trimEnd(),
      }
    },
  }
}
