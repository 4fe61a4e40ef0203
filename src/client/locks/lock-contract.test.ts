import { lockContract } from './testing/lock-contract.ts'
import { memoryPlane, planeOn } from './testing/lock-world.ts'

lockContract('an embedded engine', {
  async open() {
    const { context, close } = await memoryPlane()
    const others = [planeOn(context.driver, 5_000)]
    return {
      context,
      another: () => Promise.resolve(others[0]!),
      async close() {
        await others[0]!.sessions.close()
        await close()
      },
    }
  },
})
