// A cluster whose members reach each other through relays in this process, so that one of them can be cut off in
// silence: its bytes stop in both directions, and no connection closes. For Synod only: a relay learns who dials from
// the greeting of Synod's peer protocol (src/engine/transport/frames.ts).
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Member } from '../member.ts'
import { layOutMembers } from './layout.ts'

/** Where the greeting names the dialling member. */
const fromOffset = 16
const greetingBytes = 44

interface Path {
  readonly from: bigint
  readonly to: string
  readonly ends: readonly [Socket, Socket]
}

/** Passes connections on to one member. */
class Relay {
  readonly paths = new Set<Path>()
  readonly #server: Server
  readonly #isCut: (from: bigint) => boolean
  #target = 0

  constructor(name: string, isCut: (from: bigint, to: string) => boolean) {
    this.#isCut = (from) => isCut(from, name)
    this.#server = createServer((dialler) => {
      let greeting = Buffer.alloc(0)
      const sockets = [dialler]
      dialler.on('error', () => {})
      dialler.on('close', () => sockets[1]?.destroy())
      const onGreeting = (chunk: Buffer): void => {
        greeting = Buffer.concat([greeting, chunk])
        if (greeting.length < greetingBytes) return
        dialler.off('data', onGreeting)
        dialler.pause()
        const from = greeting.readBigUInt64LE(fromOffset)
        // A connection begun while cut off hangs, as it would on a network that drops packets.
        if (this.#isCut(from)) return
        const onward = connect(this.#target, '127.0.0.1')
        sockets.push(onward)
        const path: Path = { from, to: name, ends: [dialler, onward] }
        this.paths.add(path)
        onward.on('error', () => {})
        onward.on('close', () => {
          this.paths.delete(path)
          dialler.destroy()
        })
        onward.write(greeting)
        dialler.pipe(onward).pipe(dialler)
      }
      dialler.on('data', onGreeting)
    })
  }

  /** Listens; resolves with the port. */
  open(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  leadTo(port: number): void {
    this.#target = port
  }

  close(): void {
    this.#server.close()
    for (const { ends } of this.paths) for (const end of ends) end.destroy()
  }
}

/** Three members behind relays. */
export class RelayedCluster {
  readonly members: readonly Member[]
  readonly #relays: readonly Relay[]
  readonly #folder: string
  #cut: { readonly name: string; readonly id: bigint } | undefined

  private constructor(members: readonly Member[], relays: readonly Relay[], folder: string) {
    this.members = members
    this.#relays = relays
    this.#folder = folder
  }

  static async start(flags: readonly string[] = []): Promise<RelayedCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'synod-relayed-'))
    const names = ['n1', 'n2', 'n3']
    let cluster: RelayedCluster | undefined
    const isCut = (from: bigint, to: string) => cluster?.isCut(from, to) ?? false
    const relays = names.map((name) => new Relay(name, isCut))
    const relayPorts = await Promise.all(relays.map((relay) => relay.open()))
    const members = await layOutMembers(
      folder,
      names.map((name, at) => ({ name, flags, advertisedPeerUrl: `http://127.0.0.1:${relayPorts[at]}` })),
    )
    for (const [at, member] of members.entries()) relays[at]!.leadTo(Number(new URL(member.peerUrl).port))
    cluster = new RelayedCluster(members, relays, folder)
    for (const member of members) member.start()
    await Promise.all(members.map((member) => member.ready()))
    return cluster
  }

  isCut(from: bigint, to: string): boolean {
    return this.#cut !== undefined && (this.#cut.name === to || this.#cut.id === from)
  }

  /** Stops all bytes from and to `member`, whose id is `id`. */
  cutOff(member: Member, id: bigint): void {
    this.#cut = { name: member.name, id }
    for (const relay of this.#relays)
      for (const { from, to, ends } of relay.paths)
        if (this.isCut(from, to))
          for (const end of ends) {
            end.unpipe()
            end.pause()
          }
  }

  /** Ends the cut. What was held back is lost with its connections. */
  heal(): void {
    const cut = this.#cut
    this.#cut = undefined
    if (cut === undefined) return
    for (const relay of this.#relays)
      for (const { from, to, ends } of relay.paths)
        if (from === cut.id || to === cut.name) for (const end of ends) end.destroy()
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.crash()))
    for (const relay of this.#relays) relay.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
