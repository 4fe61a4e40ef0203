import { plants } from './plant-list.ts'

/** Mistakes in the client's reads, counters, watches and near copies. */
export const clientDataPlants = plants([
  {
    name: 'client-reads-stale',
    mistake: 'Every read is answered by whatever node is near, from its own state.',
    breaks: 'Invariant D2 of client/driver/driver.ts: a read sees all that was acknowledged before it.',
    consensus: 'raft',
    scenario: 'programs-broken-connections',
    seedsMax: 18,
    edits: [
      {
        file: 'client/drivers/etcd/etcd-driver.ts',
        find: 'serializable: stale === true, ',
        replace: 'serializable: true, ',
      },
    ],
  },
  {
    name: 'client-marker-ignored',
    mistake: 'After a lost answer an add is made again, whether or not its marker tells that it was applied.',
    breaks: 'The once rule of client/once/once-writer.ts: a retry without the operation’s id.',
    consensus: 'raft',
    scenario: 'programs-broken-connections',
    seedsMax: 9,
    edits: [
      {
        file: 'client/once/once-writer.ts',
        find: 'if (marker?.sequence === this.sequence) {',
        replace: 'if (marker?.sequence === -this.sequence) {',
      },
    ],
  },
  {
    name: 'client-unknown-told-as-failed',
    mistake: 'An add whose time is up while it is under way is told as not applied.',
    breaks: 'Invariant I4 of client/once/once-writer.ts. Unknown is not failed.',
    consensus: 'raft',
    scenario: 'programs-lost-answers',
    seedsMax: 9,
    edits: [
      {
        file: 'client/once/once-writer.ts',
        find: 'operation.fail(exposed ? unsettledError(error) : error)',
        replace: 'operation.fail(exposed ? error : error)',
      },
    ],
  },
  {
    name: 'client-counted-without-compare',
    mistake: 'The sum is written without asking whether the counter is still what it was computed from.',
    breaks: 'Optimistic concurrency: somebody else’s add is lost.',
    consensus: 'raft',
    scenario: 'programs-lost-answers',
    seedsMax: 6,
    edits: [
      {
        file: 'client/once/attempt.ts',
        find: 'const compares: Compare[] = keys.map((key) => unchanged(key, states.get(key)!.modRevision))',
        replace: 'const compares: Compare[] = keys.map((key) => unchanged(key, states.get(key)!.modRevision)).slice(1)',
      },
    ],
  },
  {
    name: 'client-resume-at-the-last',
    mistake: 'A watch goes on from the revision that it was told last, not from the one after.',
    breaks: 'Invariant I2 of client/watching/history.ts: each revision once.',
    consensus: 'raft',
    scenario: 'programs-watch-resume',
    seedsMax: 6,
    edits: [
      {
        file: 'client/watching/history.ts',
        find: '    this.nextRevision = revision + 1\n',
        replace: '    this.nextRevision = revision\n',
      },
    ],
  },
  {
    name: 'client-resume-past-the-next',
    mistake: 'A watch that lost its connection goes on one revision too late.',
    breaks: 'Invariant I2 of client/watching/history.ts: no gap.',
    consensus: 'raft',
    scenario: 'programs-watch-resume',
    seedsMax: 6,
    edits: [
      {
        file: 'client/watching/history.ts',
        find: 'if (!signal.aborted) this.subscribe(this.nextRevision)',
        replace: 'if (!signal.aborted) this.subscribe(afterFailure ? this.nextRevision + 1 : this.nextRevision)',
      },
    ],
  },
  {
    name: 'client-resume-from-now',
    mistake: 'A watch that lost its connection goes on with what comes next.',
    breaks: 'Invariant I2 of client/watching/history.ts: no gap.',
    consensus: 'raft',
    scenario: 'programs-watch-resume',
    seedsMax: 6,
    edits: [
      {
        file: 'client/watching/history.ts',
        find: '      if (afterFailure) await pause(this.driver.outside, this.backoff.next(), { signal })\n',
        replace:
          '      if (afterFailure) await pause(this.driver.outside, this.backoff.next(), { signal })\n      if (afterFailure) this.nextRevision = undefined\n',
      },
    ],
  },
  {
    name: 'client-latest-skips-after-the-list',
    mistake: 'A watch of the latest begins two revisions after its list.',
    breaks: 'List, then watch from the revision after: it never converges when that one is skipped.',
    consensus: 'raft',
    scenario: 'programs-watch-resume',
    seedsMax: 12,
    edits: [
      {
        file: 'client/watching/latest-states.ts',
        find: 'this.driver.watch!(this.range, this.revision + 1, {',
        replace: 'this.driver.watch!(this.range, this.revision + 2, {',
      },
    ],
  },
  {
    name: 'client-latest-not-listed-anew',
    mistake: 'After a compaction a watch of the latest tries again from one revision later, without another list.',
    breaks: 'What was compacted away is not heard of any more.',
    consensus: 'raft',
    scenario: 'programs-watch-resume',
    seedsMax: 15,
    edits: [
      {
        file: 'client/watching/latest-states.ts',
        find: "if (ended === 'compacted') this.mustRead = true\n",
        replace: "if (ended === 'compacted') this.revision++\n",
      },
    ],
  },
  {
    name: 'client-current-as-of-the-answer',
    mistake: 'A near copy counts its age from when the comparison was answered, not from when it was sent.',
    breaks: 'Invariant I4 of client/watching/latest-states.ts.',
    consensus: 'raft',
    scenario: 'programs-lost-answers',
    seedsMax: 30,
    edits: [
      {
        file: 'client/watching/latest-states.ts',
        find: '      if (!outran) this.revision = revision\n      this.currentAsOfMs = Math.max(sentAtMs, this.currentAsOfMs)\n',
        replace:
          '      if (!outran) this.revision = revision\n      this.currentAsOfMs = this.driver.outside.clock.monotonicMs()\n',
      },
    ],
  },
  {
    name: 'client-current-by-its-watch',
    mistake: 'A near copy takes itself for current whenever its watch tells anything.',
    breaks: 'Invariant I4 of client/watching/latest-states.ts: the node that it watches may be behind.',
    consensus: 'raft',
    scenario: 'programs-lost-answers',
    seedsMax: 9,
    edits: [
      {
        file: 'client/watching/latest-states.ts',
        find: '    this.revision = revision\n    if (events.length > 0) this.feed.offer()',
        replace:
          '    this.revision = revision\n    this.currentAsOfMs = this.driver.outside.clock.monotonicMs()\n    this.tellAnyway = true\n    this.feed.offer()',
      },
    ],
  },
])
