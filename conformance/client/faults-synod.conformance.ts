// Locks, elections, counters and watches of several programs on three Synod servers, while servers are killed and
// restarted and connections are broken and cut: no two holders at once, no lost increment, no missed event.
import { it } from 'node:test'
import { skipWithoutServer } from '../cluster.ts'
import { runUnderFaults } from './fault-run.ts'

it('three Synod servers under faults', { skip: skipWithoutServer('synod'), timeout: 180_000 }, () =>
  runUnderFaults('synod'),
)
