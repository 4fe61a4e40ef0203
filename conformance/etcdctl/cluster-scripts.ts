import type { ScriptGroup } from './script.ts'

// Sizes, and who leads, differ from cluster to cluster; so does the server's own version.
const statusTexts = [
  [/\b\d+(\.\d+)? [kMG]?B\b/g, '<size>'],
  [/\b(true|false), (true|false), \d+, \d+, \d+,/g, '<leads>, $2, <term>, <index>, <applied>,'],
  [/\| +(true|false) \| +(true|false) \| +\d+ \| +\d+ \| +\d+ \|/g, '| <leads> | $2 | <term> | <index> | <applied> |'],
  [/\b\d+%/g, '<share>'],
] as const
const versionText = [/\b3\.\d+\.\d+\b/g, '<version>'] as const
const hashText = [/(?<=, )\d{6,10}\b/g, '<hash>'] as const
const hashTable = [/\| +\d{6,10} \|/g, '| <hash> |'] as const
const healthTime = [/"took":"[^"]*"/g, '"took":"<time>"'] as const

export const clusterScripts: ScriptGroup = {
  name: 'cluster and maintenance',
  scripts: [
    {
      name: 'member list',
      smoke: true,
      steps: [
        { run: 'member list', unordered: true },
        { run: 'member list -w simple', unordered: true },
        { run: 'member list -w table', unordered: true },
        { run: 'member list -w json', unordered: true },
        { run: 'member list -w fields', unordered: true },
        { run: 'member list', everyMember: true, unordered: true },
      ],
    },
    {
      name: 'endpoint health',
      smoke: true,
      steps: [
        { run: 'endpoint health', unordered: true },
        { run: 'endpoint health', everyMember: true, unordered: true },
        { run: 'endpoint health --cluster', unordered: true },
        { run: 'endpoint health -w json', everyMember: true, mask: [healthTime], unordered: true },
        {
          run: 'endpoint health -w table',
          everyMember: true,
          mask: [[/\d+(\.\d+)?(µs|ms|s) /g, '<time> ']],
          unordered: true,
        },
        { run: 'endpoint health --endpoints=127.0.0.1:1', mask: [[/127\.0\.0\.1:1\b/g, '<nobody>']] },
      ],
    },
    {
      name: 'endpoint status',
      smoke: true,
      steps: [
        'put a 1',
        { run: 'endpoint status', mask: [...statusTexts, versionText] },
        { run: 'endpoint status', everyMember: true, mask: [...statusTexts, versionText] },
        { run: 'endpoint status -w table', everyMember: true, mask: [...statusTexts, versionText] },
        { run: 'endpoint status -w json', everyMember: true, mask: [versionText] },
        { run: 'endpoint status -w fields', mask: [versionText, [/"Leader" : .*/, '"Leader" : <leader>']] },
        { run: 'endpoint status --cluster', mask: [...statusTexts, versionText], unordered: true },
      ],
    },
    {
      name: 'hashes agree between members',
      steps: [
        'put a 1',
        'put b 2',
        'put a 3',
        'del b',
        { run: 'get a', member: 0 },
        { run: 'get a', member: 1 },
        { run: 'get a', member: 2 },
        { run: 'endpoint hashkv', everyMember: true, mask: [hashText] },
        { run: 'endpoint hashkv -w table', everyMember: true, mask: [hashTable] },
        { run: 'endpoint hashkv -w json', everyMember: true },
        { run: 'endpoint hashkv --rev={rev+2}', everyMember: true, mask: [hashText] },
        { run: 'endpoint hashkv --rev=9999999', mask: [hashText] },
      ],
    },
    {
      name: 'alarms, defragmentation, leadership',
      steps: [
        'alarm list',
        'alarm disarm',
        'alarm list -w json',
        'defrag',
        { run: 'defrag', everyMember: true },
        'put a 1',
        'get a -w json',
      ],
    },
    { name: 'no such command', steps: ['nonsense', 'lease nonsense'] },
    {
      name: 'authentication is off',
      steps: ['user list', 'role list', 'auth status'],
      differs: { synod: 'authentication is a later issue; its calls answer UNIMPLEMENTED' },
    },
  ],
}
