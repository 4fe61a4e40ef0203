import type { PlaneContext } from '../context.ts'
import type { Operation, OperationResult, Revision } from '../driver/index.ts'
import { SynodError } from '../errors.ts'
import { type CallLimits, callOptions } from '../limits.ts'
import type { Condition } from './conditions.ts'
import type { KeyOperation, TxnOperation } from './operations.ts'

/** What the steps result in, by position. */
export type TxnResults<Operations extends readonly TxnOperation<unknown>[]> = {
  readonly [I in keyof Operations]: Operations[I] extends TxnOperation<infer R> ? R : never
}

/** Which branch ran, and what its steps resulted in. */
export type TxnResult<
  Success extends readonly TxnOperation<unknown>[],
  Failure extends readonly TxnOperation<unknown>[],
> =
  | { readonly succeeded: true; readonly revision: Revision; readonly results: TxnResults<Success> }
  | { readonly succeeded: false; readonly revision: Revision; readonly results: TxnResults<Failure> }

/**
 * A transaction being put together: `kv.txn().when(…).do(…).otherwise(…).commit()`. Each call gives a new one and leaves
 * this one as it is. (The branches are not called `then` and `else`: awaiting an object that has a `then` would call it.)
 *
 * `Allowed`: the steps that the engine has.
 */
export interface Txn<
  Allowed extends TxnOperation<unknown>,
  Success extends readonly TxnOperation<unknown>[] = readonly [],
  Failure extends readonly TxnOperation<unknown>[] = readonly [],
> {
  /** Adds conditions; all must hold at once for `do`. With none, `do` always runs. */
  when(...conditions: readonly Condition[]): Txn<Allowed, Success, Failure>
  /** Adds steps for when all conditions hold. A key is written at most once in one transaction. */
  do<const More extends readonly Allowed[]>(...operations: More): Txn<Allowed, readonly [...Success, ...More], Failure>
  /** Adds steps for when one of the conditions does not hold. */
  otherwise<const More extends readonly Allowed[]>(
    ...operations: More
  ): Txn<Allowed, Success, readonly [...Failure, ...More]>
  /**
   * Carries it out: one of the branches, at once and durably, or nothing. Every call is a transaction of its own.
   *
   * Errors: `INVALID_ARGUMENT`, `TOO_LARGE` (engines limit the number of steps, etcd to 128), `NOT_SUPPORTED`,
   * `SESSION_LOST`; after `UNAVAILABLE`, `TIMEOUT` and `CANCELLED` look at `outcome`.
   */
  commit(limits?: CallLimits): Promise<TxnResult<Success, Failure>>
}

/** The steps of every engine. */
export type AnyKeyOperation = KeyOperation<unknown>
/** The steps of engines that have ranges in transactions. */
export type AnyOperation = TxnOperation<unknown>

export function newTxn(context: PlaneContext): Txn<AnyOperation> {
  return new TxnBuilder(context, [], [], [])
}

class TxnBuilder<Success extends readonly AnyOperation[], Failure extends readonly AnyOperation[]>
  implements Txn<AnyOperation, Success, Failure>
{
  private readonly context: PlaneContext
  private readonly conditions: readonly Condition[]
  private readonly success: Success
  private readonly failure: Failure

  constructor(context: PlaneContext, conditions: readonly Condition[], success: Success, failure: Failure) {
    this.context = context
    this.conditions = conditions
    this.success = success
    this.failure = failure
  }

  when(...conditions: readonly Condition[]): Txn<AnyOperation, Success, Failure> {
    return new TxnBuilder(this.context, [...this.conditions, ...conditions], this.success, this.failure)
  }

  do<const More extends readonly AnyOperation[]>(
    ...operations: More
  ): Txn<AnyOperation, readonly [...Success, ...More], Failure> {
    return new TxnBuilder(this.context, this.conditions, [...this.success, ...operations] as const, this.failure)
  }

  otherwise<const More extends readonly AnyOperation[]>(
    ...operations: More
  ): Txn<AnyOperation, Success, readonly [...Failure, ...More]> {
    return new TxnBuilder(this.context, this.conditions, this.success, [...this.failure, ...operations] as const)
  }

  async commit(limits?: CallLimits): Promise<TxnResult<Success, Failure>> {
    const { context, conditions } = this
    const success = this.operationsOf(this.success)
    const failure = this.operationsOf(this.failure)
    const compares = conditions.map((condition) => condition.compare(context))
    const options = callOptions(context, limits)
    const done = await context.tracing.span('kv.txn', {}, () =>
      context.driver.transact({ compares, success, failure }, options),
    )
    const { succeeded, revision } = done
    const branch: readonly AnyOperation[] = succeeded ? this.success : this.failure
    const results = done.results.map((answer: OperationResult, i) => branch[i]!.result(context, answer, revision))
    return { succeeded, revision, results } as unknown as TxnResult<Success, Failure>
  }

  private operationsOf(steps: readonly AnyOperation[]): Operation[] {
    const { context } = this
    const written = new Set<string>()
    return steps.map((step) => {
      if (step.needs === 'ranges' && !context.driver.can.rangeInTransaction)
        throw new SynodError(
          'NOT_SUPPORTED',
          `${context.driver.engine} has no ranges in transactions; name the keys one by one`,
        )
      const operation = step.operation(context)
      if (operation.type !== 'put' && operation.type !== 'delete') return operation
      if (written.has(operation.key))
        throw new SynodError('INVALID_ARGUMENT', `the transaction writes key ${JSON.stringify(operation.key)} twice`)
      written.add(operation.key)
      return operation
    })
  }
}
