/**
 * Operations that are applied once, however often they are sent: each has a number in its session, and its result stays
 * on Redis until it has been heard.
 *
 * - O1  A script looks for its number before anything else, and leaves its result with it in the same step as its write.
 * - O2  A number's result is removed only after the operation ended here. Nothing can be sent again after that, and what
 *       was sent before is on no connection any more (I1 of `connection.ts`) or ahead of the removal on the same one.
 * - O3  While the session's key is there, so are the results. Then a session that is over says for certain that an
 *       operation without a result was not applied.
 */
import type { CallOptions, Key } from '../../driver/index.ts'
import { SynodError } from '../../errors.ts'
import { within } from '../../once/index.ts'
import type { Session, Sessions } from '../../sessions/index.ts'
import type { RedisConnection } from './connection.ts'
import { onceKey, type Rooms, sessionKey } from './rooms.ts'
import { type Script, type ScriptArgument, script } from './script.ts'

/** Numbers that one call removes. */
const endedMax = 50

/** The body writes to KEYS[3] on and reads ARGV[3] on; it ends with `result`, one text, or with an error reply. */
export function onceScript(name: string, body: string): Script {
  return script(
    name,
    `for number in string.gmatch(ARGV[2], '%d+') do redis.call('HDEL', KEYS[2], number) end
local before = redis.call('HGET', KEYS[2], ARGV[1])
if before then return {'done', before} end
local ends = number_at(KEYS[1], 0)
if ends == 0 then return {'forgotten'} end
if ends <= now then return {'gone'} end
local result
${body}
redis.call('HSET', KEYS[2], ARGV[1], result)
redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1]) + 1000)
return {'done', result}`,
  )
}

interface Numbers {
  next: number
  /** Their results can be removed. */
  readonly ended: number[]
}

export class OnceRunner {
  private readonly connection: RedisConnection
  private readonly rooms: Rooms
  private readonly sessions: Sessions
  /** Of the sessions used last. */
  private readonly numbers = new WeakMap<Session, Numbers>()

  constructor(connection: RedisConnection, rooms: Rooms, sessions: Sessions) {
    this.connection = connection
    this.rooms = rooms
    this.sessions = sessions
  }

  /** Resolves with what the script's `result` was. Rejects as `RedisConnection.run` does. */
  async run(
    what: Script,
    keys: readonly Key[],
    args: readonly ScriptArgument[],
    options: CallOptions,
    given?: Session,
  ): Promise<string> {
    for (;;) {
      const session = given ?? (await this.sessions.shared({ signal: options.signal }))
      session.assertAlive()
      const [state, result] = await this.attempt(session, what, keys, args, options)
      if (state === 'done') return result!
      if (state === 'forgotten' || given !== undefined) throw overError(what, state)
      // Certainly not applied (O3), and the shared session is another as soon as this one knows that it is over.
      await within(this.connection.outside, sessionOver(session), options)
    }
  }

  private async attempt(
    session: Session,
    what: Script,
    keys: readonly Key[],
    args: readonly ScriptArgument[],
    options: CallOptions,
  ): Promise<string[]> {
    const numbers = this.numbersOf(session)
    const number = numbers.next++
    const ended = numbers.ended.splice(0, endedMax)
    const { rooms } = this
    const { leaseId } = session
    const call = {
      script: what,
      keys: [sessionKey(rooms, leaseId), onceKey(rooms, leaseId), ...keys],
      args: [number, ended.join(' '), ...args],
    }
    try {
      return (await this.connection.run(call, options)) as string[]
    } catch (error) {
      numbers.ended.push(...ended)
      throw error
    } finally {
      numbers.ended.push(number)
    }
  }

  private numbersOf(session: Session): Numbers {
    let numbers = this.numbers.get(session)
    if (numbers === undefined) {
      numbers = { next: 1, ended: [] }
      this.numbers.set(session, numbers)
    }
    return numbers
  }
}

/** By the local deadline, or by the renewal that hears of it. */
function sessionOver({ signal }: Session): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function overError({ name }: Script, state: string | undefined): SynodError {
  if (state === 'gone')
    return new SynodError('SESSION_LOST', `${name} was refused: the session ended; make the call again on a new one`)
  return new SynodError(
    'SESSION_LOST',
    `${name} met no session: it ended more than a minute ago, or Redis lost its data; whether an attempt before was applied is not known any more`,
    { outcome: 'unknown' },
  )
}
