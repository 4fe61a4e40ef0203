/**
 * What the programs of the shop's services share: `node SERVICE.ts CONNECTION ID`, a line on standard output once it
 * serves, and an end in good order on SIGTERM, or when whoever started it is gone.
 */
import { type CoordinationPlane, connect } from '../../src/client/index.ts'

/** A service that serves. */
export interface Serving {
  readonly port: number
  /** Deregisters, lets what is under way end, closes. */
  close(): Promise<void>
}

export async function runService(
  serve: (synod: CoordinationPlane, id: string, args: readonly string[]) => Promise<Serving>,
): Promise<void> {
  const [connection, id, ...args] = process.argv.slice(2)
  if (connection === undefined || id === undefined)
    throw new Error('give the connection string and the id of the instance')
  const engine = connection.slice(0, connection.indexOf(':')) as CoordinationPlane['engine']
  const synod = await connect(connection, { engine })
  const serving = await serve(synod, id, args)
  const end = (): void => {
    serving
      .close()
      .then(() => synod.close())
      .then(() => process.exit(0))
  }
  process.once('SIGTERM', end)
  process.stdin.once('end', end).resume()
  console.log(JSON.stringify({ id, port: serving.port }))
}
