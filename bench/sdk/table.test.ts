import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ClientName } from './side.ts'
import { type Measurement, table } from './table.ts'

function measurement(workload: string, client: ClientName, round: number, perSecond: number, p50Micros: number) {
  const rest = { server: 'etcd', p99Micros: 0, cpuMicros: 0, errors: 0 } as const
  return { ...rest, workload, client, round, perSecond, p50Micros } satisfies Measurement
}

const lastCells = (all: readonly Measurement[]): (string | undefined)[] =>
  table(all)
    .split('\n')
    .slice(2)
    .map((row) => row.split(' | ').at(-1)?.replace(/ ?\|$/, ''))

describe('the table of npm run bench:sdk', () => {
  it('takes ratios of rates within a round, and stands them in the row of the other client', () => {
    const all = [
      measurement('put 1', 'synod', 1, 100, 1),
      measurement('put 1', 'synod', 2, 900, 1),
      measurement('put 1', 'etcd3', 1, 50, 1),
      measurement('put 1', 'etcd3', 2, 300, 1),
    ]
    assert.deepEqual(lastCells(all), ['', '2.50 (2.00 to 3.00)'])
  })

  it('takes those of watches from latencies, where less is better', () => {
    const all = [measurement('watch latency', 'synod', 1, 100, 200), measurement('watch latency', 'etcd3', 1, 100, 800)]
    assert.equal(lastCells(all)[1], '4.00 (4.00 to 4.00)')
  })

  it('leaves out what a library does not offer', () => {
    const all: Measurement[] = [
      measurement('lock 1', 'synod', 1, 100, 1),
      { ...measurement('lock 1', 'grpc-js', 1, 0, 0), missing: true },
    ]
    assert.equal(lastCells(all).length, 1)
  })
})
