// Runs before `npm start` and `npm test`: installs the packages that the lock file names, unless they are there.
// Plain JavaScript without dependencies, because it runs on whatever Node the machine has (20 and up).
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeEnvironment, nodeFlags } from '../node-flags.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const stamp = join(root, 'node_modules', '.synod-install')
const wanted = createHash('sha256')
  .update(readFileSync(join(root, 'package-lock.json')))
  .digest('hex')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  process.stderr.write('synod: installing packages (npm ci), once\n')
  // npm sets variables that describe the outer run; the inner one must not inherit its script and package.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(lifecycle|package)_/.test(name)),
  )
  const result = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (result.status !== 0) {
    process.stderr.write('synod: npm ci failed; its message is above. Check the network, then run the command again.\n')
    process.exit(result.status ?? 1)
  }
  // Compiles the sources into the cache that the launcher uses, so that the first cluster starts as every later one.
  const ownNode = join(root, 'node_modules', 'node', 'bin', 'node')
  const warmUp = "await import('./src/cli/node.ts'); await import('./src/cli/up/index.ts')"
  spawnSync(ownNode, [...nodeFlags, '--input-type=module', '-e', warmUp], {
    cwd: root,
    env: nodeEnvironment(root, env),
    stdio: 'ignore',
  })
  writeFileSync(stamp, wanted)
}
