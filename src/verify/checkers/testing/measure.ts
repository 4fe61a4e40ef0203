/** Measures the checkers on long valid histories: `node src/verify/checkers/testing/measure.ts [operations]`. */
import { allCheckers } from '../all-checkers.ts'
import { generateHistory } from './history-generator.ts'

const operations = Number(process.argv[2] ?? 100_000)
const shapes = {
  '1,000 keys': { keys: 1000 },
  '1,000 keys, 5 values': { keys: 1000, values: 5 },
  'one key, with revisions': { keys: 1, revisions: true },
  '1,000 keys joined by ranges, with revisions': {
    keys: 1000,
    revisions: true,
    mix: { get: 10, put: 10, delete: 3, cas: 3, range: 1 },
  },
}

for (const [name, shape] of Object.entries(shapes)) {
  const history = generateHistory({ seed: 'measure', operations, clients: 10, unknownShare: 0.01, ...shape }).operations
  for (const checker of allCheckers) {
    const startMs = performance.now()
    const { verdict } = checker.check(history)
    const tookMs = performance.now() - startMs
    if (tookMs > 20) console.log(`${name}: ${checker.property} ${verdict} in ${Math.round(tookMs)} ms`)
  }
}
