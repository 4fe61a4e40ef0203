// No transaction here both writes and reads at a revision that is compacted or to come: in etcd 3.6.16 the member that
// has the client refuses it while the others apply its writes, so that members differ for good. Synod's own answer
// (refused everywhere, nothing written) is tested in atomicity.conformance.ts.
import type { ScriptGroup } from './script.ts'

/** A transaction as `etcdctl txn` reads it: three blocks, each ended by an empty line. */
function txn(compares: readonly string[], success: readonly string[], failure: readonly string[]) {
  return [...compares, '', ...success, '', ...failure, '', ''].join('\n')
}

function txnRun(compares: readonly string[], success: readonly string[], failure: readonly string[], flags = '') {
  return { run: `txn ${flags}`, stdin: txn(compares, success, failure) }
}

const ways = ['put way success'] as const
const other = ['put way failure'] as const

export const txnScripts: ScriptGroup = {
  name: 'transactions',
  scripts: [
    {
      name: 'success and failure branches',
      smoke: true,
      rotate: true,
      steps: [
        'put a 1',
        txnRun(['value("a") = "1"'], ['put a 2', 'get a', 'del b'], ['get a']),
        txnRun(['value("a") = "1"'], ['put a 3'], ['get a', 'put b 1', 'del b']),
        'get a -w json',
        txnRun(['value("a") = "2"'], ['put a 5', 'get a --rev={rev}'], [], '-w json'),
        txnRun([], ['put c 1'], ['put c 2'], '-w json'),
        txnRun([], [], [], '-w json'),
        'get "" --prefix -w json',
      ],
    },
    ...(
      [
        ['value', '"2"', '"1"', '"3"'],
        ['version', '"2"', '"1"', '"3"'],
        ['create', '"{rev+1}"', '"0"', '"99999"'],
        ['mod', '"{rev+2}"', '"1"', '"99999"'],
        ['lease', '"0"', '"1"', '"7b"'],
      ] as const
    ).map(([target, equal, below, above]) => ({
      name: `compares of ${target}, every operator`,
      steps: [
        'put cmp 1',
        'put cmp 2',
        ...['=', '!=', '<', '>'].flatMap((operator) =>
          [equal, below, above].map((operand) =>
            txnRun([`${target}("cmp") ${operator} ${operand}`], ways, other, '-w json'),
          ),
        ),
        txnRun([`${target}("absent") = ${below}`], ways, other, '-w json'),
        txnRun([`${target}("absent") > ${below}`], ways, other, '-w json'),
        txnRun([`${target}("absent") != ${equal}`], ways, other, '-w json'),
      ],
    })),
    {
      name: 'compares of an absent key with zero',
      steps: [
        txnRun(['create("absent") = "0"'], ways, other, '-w json'),
        txnRun(['mod("absent") = "0"'], ways, other, '-w json'),
        txnRun(['version("absent") = "0"'], ways, other, '-w json'),
        txnRun(['value("absent") = ""'], ways, other, '-w json'),
        txnRun(['value("absent") != "x"'], ways, other, '-w json'),
        txnRun(['version("absent") = "0"', 'version("way") > "1"'], ways, other, '-w json'),
        txnRun(['version("absent") = "0"', 'version("way") > "100"'], ways, other, '-w json'),
      ],
    },
    {
      name: 'a lease as compare target',
      steps: [
        { run: 'lease grant 600', capture: { LEASE: /lease ([0-9a-f]+) granted/ } },
        'put leased v --lease={LEASE}',
        txnRun(['lease("leased") > "0"'], ways, other, '-w json'),
        txnRun(['lease("leased") = "0"'], ways, other, '-w json'),
        txnRun([], ['put leased2 v --lease=123'], []),
        'lease revoke {LEASE}',
      ],
    },
    {
      name: 'duplicate keys are refused',
      smoke: true,
      steps: [
        txnRun([], ['put d 1', 'put d 2'], []),
        txnRun(['version("d") = "0"'], ['get d'], ['put d 1', 'put d 2']),
        txnRun([], ['put d 1', 'del d'], []),
        txnRun([], ['del d', 'put d 1'], []),
        txnRun([], ['put d/1 1', 'del d/ --prefix'], []),
        txnRun([], ['del d/ --prefix', 'put d/1 1'], []),
        txnRun([], ['del d', 'del d'], [], '-w json'),
        txnRun([], ['del d/ --prefix', 'del d/ --prefix'], [], '-w json'),
        txnRun([], ['put d 1', 'get d'], [], '-w json'),
        txnRun([], ['get d', 'put d 2', 'get d', 'get d/ --prefix'], [], '-w json'),
        'get d -w json',
      ],
    },
    {
      name: 'several writes share one revision',
      steps: [
        txnRun([], ['put m/1 1', 'put m/2 2', 'put m/3 3'], [], '-w json'),
        'get m/ --prefix -w json',
        txnRun([], ['del m/1', 'put m/4 4', 'get m/ --prefix'], [], '-w json'),
        'get m/ --prefix --rev={rev+1} -w json',
        'get m/ --prefix -w json',
        txnRun([], ['del m/ --prefix --prev-kv'], [], '-w json'),
        txnRun([], ['put p 1 --prev-kv'], []),
        txnRun([], ['put p 2 --prev-kv'], []),
        txnRun([], ['put p --ignore-value'], []),
        txnRun([], ['put absent --ignore-value'], []),
        txnRun([], ['put q 1', 'put absent --ignore-value'], []),
        'get q -w json',
      ],
    },
    {
      name: 'reads in a transaction: options',
      steps: [
        'put t/1 b',
        'put t/2 a',
        'put t/3 c',
        txnRun([], ['get t/ --prefix --sort-by=VALUE --order=DESCEND', 'get t/ --prefix --limit=1', 'get t/1 t/3'], []),
        txnRun([], ['get t/ --prefix --keys-only', 'get t/ --prefix --count-only'], [], '-w json'),
        txnRun([], ['get t/1 --rev={rev+1}', 'put t/1 z', 'get t/1', 'get t/1 --rev={rev+1}'], [], '-w json'),
        txnRun([], ['get t/1 --rev=9999999'], []),
      ],
    },
    {
      name: 'too many operations, and malformed input',
      steps: [
        txnRun(
          [],
          Array.from({ length: 128 }, (_, at) => `put n/${at} v`),
          [],
        ),
        txnRun(
          [],
          Array.from({ length: 129 }, (_, at) => `put n/${at} v`),
          [],
        ),
        txnRun(
          Array.from({ length: 129 }, () => 'version("n") = "0"'),
          ['put n v'],
          [],
        ),
        'get n/ --prefix --count-only -w fields',
        txnRun(['nonsense("a") = "1"'], ['put a 1'], []),
        txnRun(['value("a") ~ "1"'], ['put a 1'], []),
        txnRun(['version("a") = "x"'], ['put a 1'], []),
        txnRun([], ['jump a 1'], []),
        txnRun([], ["put '' 1"], []),
        txnRun([], ["get ''"], []),
      ],
    },
    {
      name: 'formats of a transaction answer',
      steps: [
        txnRun([], ['put f 1', 'get f', 'del g'], [], '-w simple'),
        txnRun([], ['put f 1', 'get f', 'del g'], [], '-w fields'),
        txnRun([], ['put f 1', 'get f', 'del g'], [], '-w table'),
        txnRun(['version("f") = "0"'], [], ['get f'], '-w fields'),
      ],
    },
  ],
}
