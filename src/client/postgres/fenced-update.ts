/**
 * Fencing tokens for PostgreSQL: the check and the write are one transaction, so that a holder whose lock was given to
 * another writes nothing, however late its statements arrive.
 *
 * The row of the resource is locked from the check to the commit. Of two transactions on one resource the second waits for
 * the first, and then sees its token: what commits after a higher token was committed has none lower.
 */
import { SynodError } from '../errors.ts'
import { fenceTableDefault, quotedTable } from './fence-table.ts'

/** What is needed of a connection: `pg`'s `Client` and `PoolClient` have it, and others. */
export interface PostgresClient {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly command?: string | undefined }>
}

/** What is needed of a pool: `pg`'s `Pool` has it. A connection is borrowed for the transaction. */
export interface PostgresPool {
  readonly idleCount: number
  connect(): Promise<PostgresClient & { release(error?: Error | boolean): void }>
}

/** Where fencing tokens are kept in PostgreSQL. */
export interface FencedUpdateOptions {
  /** The table that `createFenceTable` made, with its schema if it has one: `app.synod_fences`. Default `synod_fences`. */
  readonly table?: string | undefined
}

/**
 * Runs `work` in a transaction of its own which is committed only if `token` is not lower than any that `resource` has
 * seen; remembers it. Returns what `work` returns, after the commit.
 *
 * Throws `FENCED` without running `work` when the token is too old: then nothing was written and the lock must be acquired
 * anew. What `work` throws rolls back and is thrown; what PostgreSQL refuses is thrown as it is, and rolled back. When the
 * answer to the commit is lost, throws `UNAVAILABLE` with `outcome: 'unknown'`: read back what was written, or run it again
 * with the same token if it may be done twice.
 *
 * Give `client` no other work meanwhile, and begin no transaction on it yourself. Works at every isolation level; above
 * `READ COMMITTED` PostgreSQL may refuse with a serialization failure (`40001`), after which it may be run again.
 *
 * @example
 * await lock.run({}, (held) =>
 *   fencedUpdate(pool, 'ledger', held.fencingToken, async (tx) => {
 *     await tx.query('UPDATE ledger SET balance = balance - $1 WHERE id = $2', [5, 7])
 *   }),
 * )
 */
export async function fencedUpdate<T>(
  client: PostgresClient | PostgresPool,
  resource: string,
  token: number,
  work: (tx: PostgresClient) => Promise<T>,
  options: FencedUpdateOptions = {},
): Promise<T> {
  if (!Number.isSafeInteger(token) || token < 0)
    throw new SynodError('INVALID_ARGUMENT', `${token} is no fencing token; pass the one that the lock's grant carries`)
  const statement = raiseStatement(options.table ?? fenceTableDefault)
  if (!('idleCount' in client)) return new FencedTransaction(client).run(statement, { resource, token }, work)
  const borrowed = await client.connect()
  const transaction = new FencedTransaction(borrowed)
  try {
    return await transaction.run(statement, { resource, token }, work)
  } finally {
    // A connection whose transaction may be open still must not be lent to another.
    borrowed.release(transaction.isOpen)
  }
}

interface FencedWork {
  readonly resource: string
  readonly token: number
}

/** Gives a row only if the token was raised, or is the one that was there. */
function raiseStatement(table: string): string {
  const quoted = quotedTable(table)
  return `INSERT INTO ${quoted} AS fence (resource, token) VALUES ($1, $2)
ON CONFLICT (resource) DO UPDATE SET token = excluded.token WHERE fence.token <= excluded.token
RETURNING token`
}

class FencedTransaction {
  /** Whether the connection may still be in the transaction, or is broken. */
  isOpen = false
  private readonly tx: PostgresClient

  constructor(tx: PostgresClient) {
    this.tx = tx
  }

  async run<T>(raise: string, { resource, token }: FencedWork, work: (tx: PostgresClient) => Promise<T>): Promise<T> {
    const { tx } = this
    this.isOpen = true
    await tx.query('BEGIN')
    let result: T
    try {
      const { rows } = await tx.query(raise, [resource, String(token)])
      if (rows.length === 0) throw fencedError(resource, token)
      result = await work(tx)
    } catch (error) {
      await this.rollBack()
      throw error
    }
    await this.commit()
    return result
  }

  private async rollBack(): Promise<void> {
    try {
      await this.tx.query('ROLLBACK')
      this.isOpen = false
    } catch {
      // The connection is broken: then the server rolls back by itself.
    }
  }

  private async commit(): Promise<void> {
    let answer: Awaited<ReturnType<PostgresClient['query']>>
    try {
      answer = await this.tx.query('COMMIT')
    } catch (error) {
      if (!isServerAnswer(error)) throw commitUnknown(error)
      // It did not commit: a deferred constraint, or 40001.
      this.isOpen = false
      throw error
    }
    this.isOpen = false
    // A transaction in which a statement failed is rolled back by COMMIT, without an error.
    if (answer.command === 'ROLLBACK')
      throw new SynodError(
        'CONFLICT',
        'nothing was written: a statement of the transaction had failed and its error was caught; let it through',
        { retryable: false },
      )
  }
}

/**
 * An answer of the server's own carries an SQLSTATE. Class 08 are broken connections; 40003 and 57P01 to 57P03 leave open
 * what became of the statement.
 */
function isServerAnswer(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^(08|57P)|^40003$/.test(code)
}

function fencedError(resource: string, token: number): SynodError {
  return new SynodError(
    'FENCED',
    `token ${token} is too old for ${JSON.stringify(resource)}, which has seen a higher one: the lock was given to another ` +
      'since; stop this work and acquire the lock anew',
  )
}

function commitUnknown(cause: unknown): SynodError {
  return new SynodError(
    'UNAVAILABLE',
    'the connection broke while the transaction was committed, so that it may or may not have been: read back what it wrote',
    { outcome: 'unknown', cause },
  )
}
