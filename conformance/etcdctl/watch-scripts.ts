import type { ScriptGroup } from './script.ts'

export const watchScripts: ScriptGroup = {
  name: 'watches',
  scripts: [
    {
      name: 'history of one key, then what happens next',
      smoke: true,
      steps: [
        'put w 1',
        'put w 2',
        'del w',
        { start: 'watcher', run: 'watch w --rev={rev+1}', lines: 9 },
        'put w 3',
        'put other x',
        'del w',
        'del w',
        { finish: 'watcher', lines: 15 },
      ],
    },
    {
      name: 'a watch started before its revision exists',
      rotate: true,
      steps: [
        { start: 'watcher', run: 'watch f --rev={rev+2}' },
        'put f 1',
        'put f 2',
        'put f 3',
        { finish: 'watcher', lines: 6 },
      ],
    },
    {
      name: 'prefix, interval and from-key',
      steps: [
        { start: 'prefix', run: 'watch p/ --prefix --rev={rev+1}' },
        { start: 'interval', run: 'watch p/1 p/3 --rev={rev+1}' },
        { start: 'all', run: "watch '' --prefix --rev={rev+1}" },
        'put p/1 a',
        'put p/2 b',
        'put p/3 c',
        'put q d',
        'del p/ --prefix',
        { finish: 'prefix', lines: 18 },
        { finish: 'interval', lines: 12 },
        { finish: 'all', lines: 21 },
      ],
    },
    {
      name: 'previous values',
      smoke: true,
      steps: [
        'put v 1',
        { start: 'watcher', run: 'watch v --prev-kv --rev={rev+1}' },
        'put v 2',
        'del v',
        'put v 3',
        { finish: 'watcher', lines: 16 },
      ],
    },
    {
      name: 'formats',
      steps: [
        'put j 1',
        'put j 2',
        { run: 'txn', stdin: '\nput j 3\nput j2 1\n\n\n' },
        'del j',
        { start: 'json', run: 'watch j --prev-kv --rev={rev+1} -w json' },
        { start: 'fields', run: 'watch j --prev-kv --rev={rev+1} -w fields' },
        { start: 'hex', run: 'watch j --rev={rev+1} --hex' },
        { finish: 'json', lines: 1 },
        { finish: 'fields', lines: 50 },
        { finish: 'hex', lines: 12 },
      ],
    },
    {
      name: 'several events of one revision arrive together',
      steps: [
        { run: 'txn', stdin: '\nput t/1 1\nput t/2 2\nput t/3 3\n\n\n' },
        { run: 'txn', stdin: '\ndel t/1\nput t/2 4\n\n\n' },
        { start: 'watcher', run: 'watch t/ --prefix --rev={rev+1} -w json' },
        { finish: 'watcher', lines: 1 },
      ],
    },
    {
      name: 'interactive',
      steps: [
        'put i/1 1',
        'put i/2 2',
        {
          start: 'watcher',
          run: 'watch -i',
          stdin: 'watch i/1 --rev={rev+1}\n',
        },
        { finish: 'watcher', lines: 3 },
      ],
    },
    {
      name: 'runs a command for each event',
      steps: [
        'put e old',
        {
          start: 'watcher',
          run: `watch e --rev={rev+1} -- sh -c 'env | grep ^ETCD_WATCH | sort'`,
        },
        { finish: 'watcher', lines: 7 },
      ],
    },
    {
      name: 'wrong arguments',
      steps: ['watch', 'watch a --prefix --from-key', 'watch a --rev=x'],
    },
    {
      name: 'the keys of an expired and of a revoked lease',
      steps: [
        { run: 'lease grant 600', capture: { LEASE: /lease ([0-9a-f]+) granted/ } },
        'put z/1 a --lease={LEASE}',
        { start: 'watcher', run: 'watch z/ --prefix --rev={rev+1} --prev-kv' },
        'lease revoke {LEASE}',
        { run: 'lease grant 1', capture: { SHORT: /lease ([0-9a-f]+) granted/ } },
        'put z/2 b --lease={SHORT}',
        { finish: 'watcher', lines: 16 },
        'get z/ --prefix -w json',
      ],
    },
  ],
}
