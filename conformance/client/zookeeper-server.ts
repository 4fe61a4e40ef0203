// Real ZooKeeper servers from Debian's jars on loopback: one alone, or an ensemble of three. Owns the processes and their
// temporary folder; both are gone after `stop()`.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Member } from '../member.ts'
import { requirePeer } from '../peers.ts'

/** What the servers, their command line and nothing else need. */
const classPath = ['zookeeper', 'slf4j-simple'].map((jar) => `/usr/share/java/${jar}.jar`).join(':')
/** Small and quick to start: the tests share two cores. */
const javaFlags = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
export const tickMs = 500

/** `java` and its arguments for a class of ZooKeeper's jars. */
export function zookeeperCommand(className: string, ...args: string[]): string[] {
  return [requirePeer('zookeeper'), ...javaFlags, '-cp', classPath, className, ...args]
}

export interface ZooKeeperServers {
  readonly members: readonly Member[]
  readonly ports: readonly number[]
  /** The members that serve, by what each says of itself. */
  roles(): Promise<(ServerRole | undefined)[]>
  /** Of the servers that do not lead; of one alone, its own. */
  followerPorts(): Promise<readonly number[]>
  /** Waits until all that run serve, and have one leader where they are several. */
  ready(): Promise<void>
  stop(): Promise<void>
}

export type ServerRole = 'standalone' | 'leader' | 'follower'

/** Starts 1 or 3 servers, and waits until they serve. */
export async function startZooKeeper(count: 1 | 3 = 1): Promise<ZooKeeperServers> {
  const folder = mkdtempSync(join(tmpdir(), 'synod-zookeeper-'))
  const ports = await freePorts(3 * count)
  const clientPorts = ports.slice(0, count)
  const members = clientPorts.map((port, at) => layOut(folder, at, port, count === 1 ? [] : ports.slice(count)))
  const servers: ZooKeeperServers = {
    members,
    ports: clientPorts,
    roles: () => Promise.all(members.map((member, at) => (member.running ? roleOf(clientPorts[at]!) : undefined))),
    async followerPorts() {
      const roles = await servers.roles()
      return clientPorts.filter((_, at) => roles[at] !== 'leader')
    },
    ready: () => ready(servers),
    async stop() {
      await Promise.all(members.map((member) => member.crash()))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  for (const member of members) member.start()
  await servers.ready()
  return servers
}

function layOut(folder: string, at: number, clientPort: number, peerPorts: readonly number[]): Member {
  const dataDir = join(folder, String(at + 1))
  mkdirSync(dataDir, { recursive: true })
  const count = peerPorts.length / 2
  const peers = Array.from(
    { length: count },
    (_, peer) => `server.${peer + 1}=127.0.0.1:${peerPorts[2 * peer]}:${peerPorts[2 * peer + 1]}`,
  )
  const lines = [
    `tickTime=${tickMs}`,
    'initLimit=20',
    'syncLimit=6',
    // Leases of minutes are asked for in tests.
    'maxSessionTimeout=600000',
    `dataDir=${dataDir}`,
    `clientPort=${clientPort}`,
    'clientPortAddress=127.0.0.1',
    'maxClientCnxns=0',
    'admin.enableServer=false',
    '4lw.commands.whitelist=srvr,cons,wchs',
    // Three servers share one disk here, and other tests with them; none of these tests takes its power away.
    ...(peers.length > 0 ? ['forceSync=no'] : []),
    ...peers,
  ]
  const config = join(dataDir, 'zoo.cfg')
  writeFileSync(config, `${lines.join('\n')}\n`)
  if (count > 0) writeFileSync(join(dataDir, 'myid'), `${at + 1}\n`)
  return new Member({
    name: `zookeeper-${at + 1}`,
    command: zookeeperCommand('org.apache.zookeeper.server.quorum.QuorumPeerMain', config),
    clientUrl: `tcp://127.0.0.1:${clientPort}`,
    peerUrl: '',
    dataDir,
    logFile: join(folder, `${at + 1}.log`),
    env: {},
    cwd: dataDir,
  })
}

async function ready(servers: ZooKeeperServers, timeoutMs = 60_000): Promise<void> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const roles = await servers.roles()
    const serving = roles.filter((role) => role !== undefined)
    const running = servers.members.filter((member) => member.running)
    const leaders = serving.filter((role) => role !== 'follower')
    if (running.length > 0 && serving.length === running.length && leaders.length === 1) return
    const ended = servers.members.find((member) => !member.running && servers.members.length === 1)
    if (ended !== undefined || Date.now() > deadline)
      throw new Error(
        `ZooKeeper does not serve: ${servers.members.map((member) => member.log().slice(-1500)).join('\n')}`,
      )
    await delay(50)
  }
}

async function roleOf(port: number): Promise<ServerRole | undefined> {
  return /^Mode: (standalone|leader|follower)$/m.exec(await askServer(port, 'srvr'))?.[1] as ServerRole | undefined
}

/** What a server says to a four-letter word; empty when it does not answer. */
export function askServer(port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(word))
    socket.setEncoding('utf8')
    socket.setTimeout(2_000, () => socket.destroy())
    socket.on('data', (text: string) => (answer += text))
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
  })
}

/** Held at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer()
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
