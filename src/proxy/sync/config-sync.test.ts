import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Timer } from '../../runtime/index.ts'
import { ConfigSync, type SyncReport, type SyncTarget } from './index.ts'

const settings = { settleMs: 100, intervalMs: 1_000, retryMs: 30_000 }

/** A clock that is moved by hand, a file, and an engine that can be told to fail. */
class Ground {
  nowMs = 0
  file: string | undefined = 'old'
  loaded: string | undefined = 'old'
  /** What was there before a write whose reload is not known to have succeeded. */
  previous: { readonly text: string | undefined } | undefined
  wanted = 'old'
  refused = new Set<string>()
  unloadable = new Set<string>()
  reloads: { readonly atMs: number; readonly text: string | undefined }[] = []
  reports: SyncReport[] = []
  beforeValidate: () => Promise<void> = async () => {}
  private timers: { atMs: number; run: () => void }[] = []
  readonly sync: ConfigSync

  constructor() {
    const scheduler = {
      setTimer: (delayMs: number, run: () => void): Timer => {
        const timer = { atMs: this.nowMs + delayMs, run }
        this.timers.push(timer)
        return { cancel: () => void (this.timers = this.timers.filter((each) => each !== timer)) }
      },
      endOfTurn: (run: () => void) => run(),
    }
    const clock = { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs }
    const target: SyncTarget = {
      read: async () =>
        this.previous === undefined
          ? { text: this.file, isCertain: true }
          : { text: this.previous.text, isCertain: false },
      validate: async (text) => {
        await this.beforeValidate()
        return this.refused.has(text) ? 'bad' : undefined
      },
      write: async (text) => {
        this.previous ??= { text: this.file }
        this.file = text
        return undefined
      },
      reload: async () => {
        this.reloads.push({ atMs: this.nowMs, text: this.file })
        if (this.file !== undefined && this.unloadable.has(this.file)) return 'no worker'
        this.loaded = this.file
        return undefined
      },
      loaded: async () => {
        this.previous = undefined
      },
    }
    this.sync = new ConfigSync(
      { render: () => ({ text: this.wanted, warnings: [] }) },
      target,
      { scheduler, clock },
      (report) => this.reports.push(report),
      settings,
    )
  }

  want(text: string): void {
    this.wanted = text
    this.sync.changed()
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.nowMs + ms
    for (;;) {
      const next = this.timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.nowMs = Math.max(this.nowMs, next.atMs)
      this.timers = this.timers.filter((each) => each !== next)
      next.run()
      // A round has no more than a dozen steps.
      for (let step = 0; step < 30; step++) await Promise.resolve()
    }
    this.nowMs = endMs
  }
}

describe('ConfigSync', () => {
  test('a burst of changes is one reload (Y2)', async () => {
    const ground = new Ground()
    for (let i = 0; i < 50; i++) ground.want(`new ${i}`)
    await ground.pass(200)
    assert.deepEqual(ground.reloads, [{ atMs: 100, text: 'new 49' }])
    assert.equal(ground.reports[0]!.result, 'reloaded')
  })

  test('the engine is reloaded at most once an interval (Y2)', async () => {
    const ground = new Ground()
    for (let i = 0; i < 40; i++) {
      ground.want(`new ${i}`)
      await ground.pass(150)
    }
    await ground.pass(2_000)
    const gaps = ground.reloads.slice(1).map(({ atMs }, index) => atMs - ground.reloads[index]!.atMs)
    assert.ok(gaps.length >= 5 && gaps.every((gap) => gap >= 1_000), JSON.stringify(gaps))
    assert.equal(ground.loaded, 'new 39')
  })

  test('nothing is done where nothing is otherwise', async () => {
    const ground = new Ground()
    ground.want('old')
    await ground.pass(200)
    assert.deepEqual([ground.reloads, ground.reports], [[], [{ result: 'unchanged' }]])
  })

  test('what the engine refuses is never in the file (Y3)', async () => {
    const ground = new Ground()
    ground.refused.add('broken')
    ground.want('broken')
    await ground.pass(200)
    assert.deepEqual([ground.file, ground.reloads.length], ['old', 0])
    assert.deepEqual(ground.reports, [{ result: 'refused', reason: 'bad' }])
  })

  test('a reload that fails is taken back (Y4), and not tried again until later (Y5)', async () => {
    const ground = new Ground()
    ground.unloadable.add('new')
    ground.want('new')
    await ground.pass(200)
    assert.deepEqual([ground.file, ground.loaded], ['old', 'old'])
    assert.deepEqual(ground.reports, [{ result: 'rolled-back', reason: 'no worker', restored: undefined }])
    ground.want('new')
    await ground.pass(5_000)
    assert.equal(ground.reloads.length, 2)
    ground.unloadable.clear()
    ground.want('other')
    await ground.pass(2_000)
    assert.equal(ground.loaded, 'other')
  })

  test('what failed is tried again after a while, without a change', async () => {
    const ground = new Ground()
    ground.refused.add('new')
    ground.want('new')
    await ground.pass(200)
    ground.refused.clear()
    await ground.pass(31_000)
    assert.deepEqual([ground.loaded, ground.reports.at(-1)!.result], ['new', 'reloaded'])
  })

  test('nothing begins after close', async () => {
    const ground = new Ground()
    ground.want('new')
    await ground.sync.close()
    ground.sync.changed()
    await ground.pass(60_000)
    assert.equal(ground.reloads.length, 0)
  })

  test('a round that was cut off before its reload is made up for, though the file is as it should be (Y6)', async () => {
    const ground = new Ground()
    Object.assign(ground, { file: 'new', loaded: 'old', previous: { text: 'old' } })
    ground.want('new')
    await ground.pass(200)
    assert.deepEqual([ground.loaded, ground.previous], ['new', undefined])
  })

  test('when a cut off round left what the engine refuses, the one before is put back (Y6)', async () => {
    const ground = new Ground()
    Object.assign(ground, { file: 'new', loaded: 'old', previous: { text: 'old' } })
    ground.refused.add('new')
    ground.want('new')
    await ground.pass(200)
    assert.deepEqual([ground.file, ground.loaded, ground.previous], ['old', 'old', undefined])
  })

  test('what could not be loaded again is loaded when it is wanted again (Y6)', async () => {
    const ground = new Ground()
    ground.unloadable.add('new').add('old')
    ground.want('new')
    await ground.pass(200)
    assert.deepEqual(ground.reports, [{ result: 'rolled-back', reason: 'no worker', restored: 'no worker' }])
    ground.loaded = undefined
    ground.unloadable.clear()
    ground.want('old')
    await ground.pass(2_000)
    assert.deepEqual([ground.loaded, ground.previous], ['old', undefined])
  })

  test('close waits for the round under way', async () => {
    const ground = new Ground()
    let letGo = (): void => {}
    const validated = new Promise<void>((resolve) => {
      letGo = resolve
    })
    ground.beforeValidate = () => validated
    ground.want('new')
    await ground.pass(200)
    let isClosed = false
    const closing = ground.sync.close().then(() => {
      isClosed = true
    })
    await ground.pass(200)
    assert.equal(isClosed, false)
    letGo()
    await closing
    assert.equal(ground.loaded, 'new')
  })
})
