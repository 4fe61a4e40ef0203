import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CircuitPermit, type Upstream, type UpstreamEndpoint, upstreamSettingsDefault } from './index.ts'
import { address, onUpstreamGround, settingsOf } from './testing/upstream-ground.ts'

const ids = ['a', 'b', 'c', 'd', 'e']
const settings = settingsOf({
  outlier: { ...upstreamSettingsDefault.outlier!, consecutiveFailures: 2, intervalMs: 100, ejectionMs: 300 },
  balance: { ...upstreamSettingsDefault.balance, slowStartMs: 500, panicThresholdPercent: 30 },
})

const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant('begin' as const) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('end' as const),
      which: fc.nat(),
      result: fc.constantFrom('success' as const, 'failure' as const, 'connect-failure' as const, 'cancelled' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('drain' as const), id: fc.constantFrom(...ids), to: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('members' as const), members: fc.subarray(ids), split: fc.nat(5) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('foreign' as const), id: fc.constantFrom(...ids), count: fc.nat(9) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('pass' as const), ms: fc.nat(400) }) },
)

/** Who may be chosen, said again without any of the machinery: one priority or two, no zones. */
function eligible(upstream: Upstream): Set<string> {
  const present = upstream.endpoints.filter(({ state }) => state !== 'draining')
  const levels = [0, 1].map((priority) => present.filter(({ address }) => address.priority === priority))
  const filled = levels.filter((level) => level.length > 0)
  const healthy = (level: readonly UpstreamEndpoint[]) => level.filter(({ state }) => state === 'ready')
  const able = filled.map((level) => Math.min(1, (1.4 * healthy(level).length) / level.length))
  const total = able.reduce((sum, part) => sum + part, 0)
  const panics = filled.map((level) => healthy(level).length * 100 < level.length * 30)
  const nobodyPanics = filled.length > 1 && total >= 1
  if (!nobodyPanics && panics.every((panic) => panic)) return new Set(present.map(({ id }) => id))
  const chosen = new Set<string>()
  let left = 1
  filled.forEach((level, i) => {
    const share = Math.min(left, able[i]! / Math.min(1, total))
    left = Math.max(0, left - share)
    if (share < 1e-9) return
    for (const { id } of panics[i] && !nobodyPanics ? level : healthy(level)) chosen.add(id)
  })
  return chosen
}

test('after any events: every begin has an end, active is right, and who is eligible is what a plain recomputation says', () =>
  fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 80 }), async (events) => {
      await onUpstreamGround(1, async ({ open, pass }) => {
        const sourceOf = (members: readonly string[], split: number) =>
          ({
            type: 'static',
            endpoints: members.map((id) => address(id, { priority: ids.indexOf(id) < split ? 0 : 1 })),
          }) as const
        const upstream = open({ ...settings, sources: [sourceOf(ids, 5)] })
        const seen = new Set<UpstreamEndpoint>(upstream.endpoints)
        const open_: { readonly endpoint: UpstreamEndpoint; readonly permit: CircuitPermit }[] = []
        const foreign = new Map<string, number>()
        for (const step of events) {
          if (step.type === 'begin') {
            const chosen = upstream.pick({})
            const may = eligible(upstream)
            if (typeof chosen === 'string') assert.equal(may.size, 0, chosen)
            else {
              assert.ok(may.has(chosen.id), `${chosen.id} was chosen of ${[...may]}`)
              open_.push({ endpoint: chosen, permit: upstream.begin(chosen) })
            }
          } else if (step.type === 'end') {
            const [begun] = open_.splice(step.which % Math.max(1, open_.length), 1)
            if (begun !== undefined) upstream.end(begun.endpoint, step.result, 5, begun.permit)
          } else if (step.type === 'drain') upstream.setDraining(step.id, step.to)
          else if (step.type === 'members') {
            upstream.reconfigure({ ...settings, sources: [sourceOf(step.members, step.split)] })
            for (const endpoint of upstream.endpoints) seen.add(endpoint)
          } else if (step.type === 'foreign') {
            foreign.clear()
            foreign.set(step.id, step.count)
            upstream.setForeignActive(foreign)
          } else await pass(step.ms)
          const may = eligible(upstream)
          for (const id of ids) assert.equal(upstream.find(id) !== undefined, may.has(id), id)
          for (const view of upstream.view().endpoints)
            assert.equal(
              view.active,
              open_.filter(({ endpoint }) => endpoint.id === view.id && endpoint.isMember).length,
            )
          for (const { weight, active } of seen) assert.ok(weight >= 0.1 && weight <= 1 && active >= 0)
        }
        for (const { endpoint, permit } of open_.splice(0)) upstream.end(endpoint, 'success', 5, permit)
        upstream.setForeignActive(new Map())
        for (const { active } of seen) assert.equal(active, 0)
      })
    }),
    { numRuns: 200 },
  ))
