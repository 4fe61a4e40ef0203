import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prng } from '../../base/index.ts'
import { PhiAccrualDetector } from './phi-accrual.ts'

/** Two standard points, and far ones that only logarithms reach: -log10 of the normal distribution's upper tail (SciPy's norm.logsf). */
const tail: readonly (readonly [deviations: number, phi: number])[] = [
  [-5, 1.24491213739e-7],
  [-3, 0.00058664931379],
  [-1, 0.0750260129578],
  [-0.25, 0.222786153255],
  [0, 0.301029995664],
  [0.5, 0.510691989265],
  [1, 0.799545541492],
  [1.2815515655446004, 1],
  [2, 1.64301608014],
  [3, 2.86969903593],
  [5, 6.54264567239],
  [8, 15.206142551],
  [20, 88.5600953431],
  [100, 2173.87154287],
  [1000, 217150.640042],
]

test('φ is -log10 of the upper tail of the normal distribution (§5.3)', () => {
  const detector = new PhiAccrualDetector({ windowSize: 2, stdDeviationMsMin: 10 })
  for (const now of [0, 1000, 2000]) detector.heartbeat(now)
  for (const [deviations, phi] of tail) {
    const ours = detector.phi(3000 + deviations * 10)
    assert.ok(Math.abs(ours - phi) <= 1e-6 * Math.max(1, phi), `${deviations}: ${ours}, not ${phi}`)
  }
})

test('a suspicion of φ errs about once in 10^φ (§4.3)', () => {
  const random = new Prng('heartbeats')
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float())
  const detector = new PhiAccrualDetector({ windowSize: 1000, stdDeviationMsMin: 1 })
  let now = 0
  const wrong = [0, 0]
  const beats = 50_000
  for (let i = 0; i < beats; i++) {
    const next = now + Math.max(0, 1000 + 100 * normal())
    // Just before the heartbeat that proves it alive.
    for (const threshold of [1, 2]) if (i > 1000 && detector.phi(next) > threshold) wrong[threshold - 1]!++
    now = next
    detector.heartbeat(now)
  }
  assert.ok(Math.abs(wrong[0]! / beats - 0.1) < 0.01, `${wrong[0]}`)
  assert.ok(Math.abs(wrong[1]! / beats - 0.01) < 0.003, `${wrong[1]}`)
})

test('suspicion grows with silence, falls with a heartbeat, and adapts to the interval', () => {
  const detector = new PhiAccrualDetector({ windowSize: 50, acceptablePauseMs: 500 })
  assert.equal(detector.phi(1e9), 0)
  let now = 0
  for (let i = 0; i < 100; i++) detector.heartbeat((now += 200))
  let last = -1
  for (let silence = 0; silence < 5000; silence += 100) {
    const phi = detector.phi(now + silence)
    assert.ok(phi > last, `${phi} after ${silence} ms`)
    last = phi
  }
  assert.ok(detector.phi(now + 600) < 1)
  assert.ok(detector.phi(now + 2000) > 8)
  for (let i = 0; i < 100; i++) detector.heartbeat((now += 2000))
  assert.ok(detector.phi(now + 2000) < 1)
  detector.heartbeat(now - 50)
  assert.ok(Number.isFinite(detector.phi(now)))
  detector.reset()
  assert.equal(detector.phi(now + 1e6), 0)
})

test('the window keeps its sums: after many turns as after one', () => {
  const [worn, fresh] = [new PhiAccrualDetector({ windowSize: 10 }), new PhiAccrualDetector({ windowSize: 10 })]
  const random = new Prng('window')
  let now = 0
  for (let i = 0; i < 100_003; i++) worn.heartbeat((now += 1e6 + random.below(1000) * 1e5))
  const start = now
  worn.heartbeat(now)
  fresh.heartbeat(now)
  for (let i = 0; i < 12; i++) {
    now += 100 + random.below(50)
    worn.heartbeat(now)
    fresh.heartbeat(now)
  }
  assert.ok(now > start)
  assert.ok(Math.abs(worn.phi(now + 300) - fresh.phi(now + 300)) < 1e-6)
})

test('refuses options that mean nothing', () => {
  for (const options of [
    { windowSize: 1 },
    { windowSize: 1e9 },
    { stdDeviationMsMin: 0 },
    { acceptablePauseMs: -1 },
    { firstIntervalMs: 0 },
  ])
    assert.throws(() => new PhiAccrualDetector(options), RangeError)
})
