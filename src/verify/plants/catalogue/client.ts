import { plants } from './plant-list.ts'

/** Mistakes in the client's sessions, locks, elections and queues. */
export const clientPlants = plants([
  {
    name: 'client-deadline-from-the-answer',
    mistake: 'A session counts its time from when the answer to a renewal arrived, not from when it was sent.',
    breaks: 'Invariant S1 of client/sessions/session.ts; Gray and Cheriton’s leases: the holder’s term must end first.',
    consensus: 'raft',
    scenario: 'programs-late-answers',
    seedsMax: 12,
    edits: [
      {
        file: 'client/drivers/etcd/lease-renewals.ts',
        find: 'ttlMs: ttlSeconds * 1000, sentAtMs })',
        replace: 'ttlMs: ttlSeconds * 1000, sentAtMs: Math.max(sentAtMs, this.outside.clock.monotonicMs()) })',
      },
    ],
  },
  {
    name: 'client-no-drift-margin',
    mistake: 'A session lasts as long as the engine promised, by the client’s own clock.',
    breaks: 'Invariant S1: the engine’s clock may run fast, and this one slow.',
    consensus: 'raft',
    scenario: 'programs-clock-drift',
    seedsMax: 12,
    edits: [
      {
        file: 'client/sessions/session-deadline.ts',
        find: ' - (answer.ttlMs * margin.driftPpm) / 1_000_000 - margin.fixedMs',
        replace: ' + 0 * margin.fixedMs',
      },
    ],
  },
  {
    name: 'client-line-by-name',
    mistake: 'Those who wait stand in the order of their keys’ names, not of the revisions that made them.',
    breaks: 'Who comes later may stand before the holder, and wait for nobody: the wrong predecessor.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/turns/line.ts',
        find: 'return a.createRevision < b.createRevision || (a.createRevision === b.createRevision && a.key < b.key)',
        replace: 'return a.key < b.key',
      },
    ],
  },
  {
    name: 'client-no-second-look',
    mistake: 'When the one ahead goes, the next one takes itself for the first.',
    breaks: 'Whoever was ahead may have given up from the middle of the line (the recipes of ZooKeeper, step 5).',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/locks/waiting-line.ts',
        find: '      await this.look(limits)\n    }\n',
        replace: "      await this.look(limits)\n      return assertDefined(this.standing, 'it has entered')\n    }\n",
      },
    ],
  },
  {
    name: 'client-released-before-stopped',
    mistake: 'A holder hears that a lock is released when the engine has answered, not before it is asked.',
    breaks: 'Invariant I1 of client/locks/holding.ts: the next one may hold it by then.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/locks/holding.ts',
        find: 'release(): Promise<void> {\n    const { session, what } = this.parts\n    this.end(new',
        replace:
          'release(): Promise<void> {\n    const { session, what } = this.parts\n    const stop = (): void => this.end(new',
      },
      {
        file: 'client/locks/holding.ts',
        find: 'this.released ??= this.parts.letGo()',
        replace: 'this.released ??= this.parts.letGo().then(stop)',
      },
    ],
  },
  {
    name: 'client-token-of-the-last-in-line',
    mistake: 'The fencing token is the newest revision in the line, not that of the holder’s own key.',
    breaks: 'A token belongs to one grant: whoever stands last gets the same one later.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/locks/lock.ts',
        find: '    const { results } = await place.awaitFirst(limits)\n',
        replace: '    const { results, line } = await place.awaitFirst(limits)\n',
      },
      {
        file: 'client/locks/lock.ts',
        find: 'tokenIn(entryAt(results, floorAt)) + createRevision',
        replace: 'tokenIn(entryAt(results, floorAt)) + Math.max(...line.map((entry) => entry.createRevision))',
      },
    ],
  },
  {
    name: 'client-reader-passes-writers',
    mistake: 'A reader does not wait for the writers before it.',
    breaks: 'A writer excludes all others.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/locks/rw-lock.ts',
        find: 'entry.key.startsWith(writers)\n',
        replace: 'entry.key.startsWith(writers) && entry.createRevision < 0\n',
      },
    ],
  },
  {
    name: 'client-writer-passes-readers',
    mistake: 'A writer waits for the writers before it only.',
    breaks: 'A writer excludes all others.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/locks/rw-lock.ts',
        find: '    const { results } = await place.awaitFirst(limits)\n',
        replace:
          "    const writers = lineRange(context, 'rwlocks', name).start + writerRole\n    const { results } = await place.awaitFirst(limits, (entry) => entry.key.startsWith(writers))\n",
      },
    ],
  },
  {
    name: 'client-generation-from-before-the-wait',
    mistake: 'A reader tells the generation that it saw when it entered the line.',
    breaks: 'The generation is that of the last writer before the grant.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 6,
    edits: [
      {
        file: 'client/locks/rw-lock.ts',
        find: "    await place.enter(limits)\n    if (!waits && place.ahead(isWriter) !== 'first') {",
        replace:
          "    const { results: early } = await place.enter(limits)\n    if (!waits && place.ahead(isWriter) !== 'first') {",
      },
      {
        file: 'client/locks/rw-lock.ts',
        find: '    const { results } = await place.awaitFirst(limits, isWriter)\n',
        replace: '    await place.awaitFirst(limits, isWriter)\n    const results = early\n',
      },
    ],
  },
  {
    name: 'client-slot-without-guard',
    mistake:
      'A semaphore’s slot is chosen by what was seen before the turn came, and taken without asking whether it is free.',
    breaks: 'Invariant I1 of client/locks/slot-request.ts.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 20,
    edits: [
      {
        file: 'client/locks/slot-request.ts',
        find: 'compares: [absent(key), isStill(place.key, place.createRevision), agreed],',
        replace: 'compares: [agreed],',
      },
      {
        file: 'client/locks/slot-request.ts',
        find: 'const grant = await this.take(await this.place.awaitFirst(this.limits))',
        replace:
          'const entered = await this.place.look(this.limits)\n    await this.place.awaitFirst(this.limits)\n    const grant = await this.take(entered)',
      },
    ],
  },
  {
    name: 'client-lost-answer-forgotten',
    mistake: 'A place in line whose making was not answered is taken for one that was never made.',
    breaks:
      'Unknown is not failed. Invariant K2 of client/turns/leased-key.ts: nobody takes it back, and all wait for it.',
    consensus: 'raft',
    scenario: 'programs-cut-clients',
    seedsMax: 9,
    edits: [
      {
        file: 'client/turns/leased-key.ts',
        find: "if (!(error instanceof SynodError) || error.outcome === 'unknown') this.hasOpenAttempt = true",
        replace: 'if (!(error instanceof SynodError)) this.hasOpenAttempt = true',
      },
    ],
  },
  {
    name: 'client-acknowledged-without-claim',
    mistake: 'A job is removed by whoever has done it, whether or not it was given to another meanwhile.',
    breaks: 'Invariant J1 of client/queues/job.ts.',
    consensus: 'raft',
    scenario: 'programs-stopped-clients',
    seedsMax: 30,
    edits: [
      {
        file: 'client/queues/job.ts',
        find: 'compares: [isStill(claim.key, claim.createRevision), isStill(key, this.createRevision)],',
        replace: 'compares: [isStill(key, this.createRevision)],',
      },
    ],
  },
  {
    name: 'client-ids-from-the-clock',
    mistake: 'Who takes over a slot of an id generator begins at its own clock. (There are only four slots.)',
    breaks: 'Invariant I2 of client/ids/slot.ts: the owner before may have been ahead.',
    consensus: 'raft',
    scenario: 'programs-wall-clocks',
    seedsMax: 9,
    edits: [
      { file: 'client/ids/id-layout.ts', find: 'slotCount = 2 ** 10', replace: 'slotCount = 4' },
      {
        file: 'client/ids/claim-slot.ts',
        find: 'afterMs: Math.max(decodeTime(floor), decodeTime(reserved))',
        replace: 'afterMs: decodeTime(floor)',
      },
    ],
  },
])
