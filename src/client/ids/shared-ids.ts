/**
 * One generator of a name for a whole connection, however often a program asks for it: each generator holds one of the
 * name's 1 024 slots, and `plane.ids('orders').next()` for every order must not use them up.
 *
 * - H1  `shared` holds a generator exactly while a handle of it is open that was not closed.
 */
import type { PlaneContext } from '../context.ts'
import { SynodError } from '../errors.ts'
import type { CallLimits } from '../limits.ts'
import { createIds, type IdGenerator } from './id-generator.ts'

interface Shared {
  readonly generator: IdGenerator
  handles: number
}

/** Makes `ids` of a plane: a handle of the name's one generator here. The slot goes back with the last handle. */
export function sharedIds(context: PlaneContext): (name: string) => IdGenerator {
  const shared = new Map<string, Shared>()
  return (name) => {
    const of = shared.get(name) ?? { generator: createIds(context, name), handles: 0 }
    shared.set(name, of)
    of.handles++
    return new Handle(of.generator, async () => {
      if (--of.handles > 0) return
      shared.delete(name)
      await of.generator.close()
    })
  }
}

class Handle implements IdGenerator {
  readonly name: string
  private readonly generator: IdGenerator
  private readonly letGo: () => Promise<void>
  private closing: Promise<void> | undefined

  constructor(generator: IdGenerator, letGo: () => Promise<void>) {
    this.name = generator.name
    this.generator = generator
    this.letGo = letGo
  }

  async next(limits?: CallLimits): Promise<bigint> {
    this.assertOpen()
    return this.generator.next(limits)
  }

  async nextString(limits?: CallLimits): Promise<string> {
    this.assertOpen()
    return this.generator.nextString(limits)
  }

  close(): Promise<void> {
    this.closing ??= this.letGo()
    return this.closing
  }

  private assertOpen(): void {
    if (this.closing === undefined) return
    throw new SynodError('CLOSED', `the id generator "${this.name}" was closed; make another`)
  }
}
