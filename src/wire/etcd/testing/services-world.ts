import { LeaseClient, Lessor, type Member, WatchHub, type WatchHubOptions } from '../../../engine/coordination/index.ts'
import { EngineWorld } from '../../../engine/coordination/testing/engine-world.ts'
import { silentLogger } from '../../../runtime/index.ts'
import type { GrpcRoutes } from '../../grpc/index.ts'
import { etcdServices } from '../services.ts'
import { type CallAnswer, fakeCall } from './fake-call.ts'
import { FakeStream } from './fake-stream.ts'

/** Of this node's cluster: itself, and a learner. */
export const testMembers: readonly Member[] = [
  { id: 7n, name: 'one', peerUrls: ['http://h:2380'], clientUrls: ['http://h:2379'], isLearner: false },
  { id: 3n, name: 'two', peerUrls: ['http://i:2380'], clientUrls: [], isLearner: true },
]

/** All services over an engine of one node whose time and turns a test controls. */
export class ServicesWorld extends EngineWorld {
  readonly hub: WatchHub
  readonly lessor: Lessor
  readonly routes: GrpcRoutes

  constructor(hubOptions: Partial<WatchHubOptions> = {}, founders: readonly Member[] = testMembers) {
    super({}, founders)
    const { machine, group, engine, loop } = this
    const { clock, scheduler, random } = loop
    this.hub = new WatchHub({ clock, scheduler, random, state: machine }, hubOptions)
    const expire: ConstructorParameters<typeof Lessor>[0]['expire'] = (id, done) => {
      engine.leaseRevoke(id, 'expired', done)
    }
    const lessorContext = { clock, scheduler, logger: silentLogger, group, state: machine, expire }
    this.lessor = new Lessor(lessorContext, { electionTimeoutMs: 1000 })
    group.setLeaderService((request, reply) => this.lessor.serve(request, reply))
    const requestTimeoutMs = 7000
    const leaseClient = new LeaseClient({ clock, scheduler, group, state: machine }, { requestTimeoutMs })
    const shared = { clock, scheduler, engine, group, hub: this.hub, leaseClient }
    this.routes = Object.assign({}, ...etcdServices({ ...shared, electionTimeoutMs: 1000, requestTimeoutMs }).routes)
  }

  /** Sends one request; lets time pass until it is answered. */
  unary(path: string, message: Uint8Array, metadata: Readonly<Record<string, string>> = {}): CallAnswer {
    const route = this.routes[path]
    if (route?.kind !== 'unary') throw new Error(`${path} is not unary`)
    const { call, answer } = fakeCall(message, metadata)
    route.handler(call)
    for (let i = 0; i < 10_000 && answer.answers === 0; i++) this.loop.advance(1)
    return answer
  }

  stream(path: string, metadata: Readonly<Record<string, string>> = {}): FakeStream {
    return new FakeStream(this.routes, path, metadata)
  }
}
