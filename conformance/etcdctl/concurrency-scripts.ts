import type { ScriptGroup } from './script.ts'

// A lock's and an election's keys end in the lease id that the server chose.
const key = [/\/[0-9a-f]{12,16}\b/g, '/<lease>'] as const
const keyInJson = [/"key":"[A-Za-z0-9+/=]{20,}"/g, '"key":"<key>"'] as const
const leaseInJson = [/"lease":\d+/g, '"lease":<lease>'] as const

export const concurrencyScripts: ScriptGroup = {
  name: 'locks and elections',
  scripts: [
    {
      name: 'a lock around a command',
      smoke: true,
      steps: [
        { run: 'lock name -- echo inside', mask: [key] },
        { run: "lock name -- sh -c 'exit 7'", mask: [key] },
        { run: "lock name -- sh -c 'env | grep ^ETCD_LOCK | sort'", mask: [key] },
        { run: 'lock name --ttl=20 -- echo inside', mask: [key] },
        'lock',
        'get "" --prefix -w json',
      ],
    },
    {
      name: 'a second holder waits for the first',
      steps: [
        { start: 'first', run: 'lock name', lines: 1, mask: [key], member: 0 },
        { start: 'second', run: 'lock name -- echo mine', mask: [key], member: 1 },
        { pauseMs: 300 },
        { run: 'get name --prefix --count-only -w fields', member: 2 },
        { finish: 'first', lines: 2 },
        { finish: 'second', lines: 1, ends: true },
        { run: 'get name --prefix --count-only -w fields', member: 2 },
      ],
    },
    {
      name: 'an election',
      smoke: true,
      steps: [
        { start: 'leader', run: 'elect room alice', lines: 2, mask: [key], member: 0 },
        { start: 'observer', run: 'elect -l room', lines: 2, mask: [key], member: 1 },
        { start: 'candidate', run: 'elect room bob', mask: [key], member: 2 },
        { pauseMs: 300 },
        { run: 'get room --prefix --sort-by=CREATE -w json', mask: [keyInJson, leaseInJson], member: 0 },
        { finish: 'leader', lines: 2 },
        { finish: 'candidate', lines: 2 },
        { finish: 'observer', lines: 4 },
        'elect',
        'elect room',
        'get "" --prefix -w json',
      ],
    },
  ],
}
