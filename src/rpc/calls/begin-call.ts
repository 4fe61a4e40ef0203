/** Begins a call and gives its caller what it waits for: a promise, or a stream of answers. */
import { keepArrival, type Metadata, type Method, type Requests, RpcError } from '../service/index.ts'
import { type MessageSource, MessageStream } from '../transport/index.ts'
import type { CallPath } from './call-path.ts'
import { type CallPlan, CallRun, type CallSink } from './call-run.ts'
import type { CallOptions } from './options.ts'
import { RequestPump } from './request-pump.ts'

export interface CallStart {
  readonly path: CallPath
  readonly plan: CallPlan
  /** Undefined: the plan has the one request. */
  readonly requests: Requests<unknown> | undefined
  readonly encode: (request: unknown) => Uint8Array
  readonly options: CallOptions
  /** The call is over. */
  readonly onDone: (error: RpcError | undefined) => void
}

export function startCall(start: CallStart): Promise<unknown> | AsyncIterable<unknown> {
  const { kind } = start.plan.method
  return kind === 'unary' || kind === 'client-streaming' ? startPromised(start) : startStream(start)
}

function startPromised(start: CallStart): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let answer: unknown
    let misfit: RpcError | undefined
    const run = runOf(start, {
      onMessage(bytes) {
        try {
          answer = keepArrival(bytes, start.plan.method.response.decode(bytes))
        } catch (error) {
          misfit = wrongAnswer(start, error)
        }
      },
      onEnd(error) {
        const failure = error ?? misfit
        if (failure === undefined) resolve(answer)
        else reject(failure)
      },
    })
    run()
  })
}

function startStream(start: CallStart): AsyncIterable<unknown> {
  let call: CallRun | undefined
  const source: MessageSource = {
    pause: () => call?.pause(),
    resume: () => call?.resume(),
    left: () => call?.cancel(new Error('the caller reads no more answers')),
  }
  const answers = new MessageStream(source, 'answers')
  let misfit: RpcError | undefined
  const run = runOf(start, {
    onMessage(bytes) {
      if (misfit !== undefined) return
      let message: unknown
      try {
        message = keepArrival(bytes, start.plan.method.response.decode(bytes))
      } catch (error) {
        misfit = wrongAnswer(start, error)
        call?.cancel(misfit)
        return
      }
      answers.push(message, bytes.length)
    },
    onEnd: (error) => answers.end(misfit ?? error),
  })
  call = run()
  return answers
}

interface AnswerEvents {
  onMessage(bytes: Uint8Array): void
  onEnd(error: RpcError | undefined): void
}

/** The call, with the request pumped into it where that is a stream; begun by what is returned. */
function runOf(start: CallStart, events: AnswerEvents): () => CallRun {
  const { path, plan, requests, encode, options, onDone } = start
  let pump: RequestPump | undefined
  let thrown: RpcError | undefined
  /** What a program's own listener throws is told by its call, and harms nobody else's on the connection. */
  const tell = (what: string, listener: ((metadata: Metadata) => void) | undefined, metadata: Metadata): void => {
    try {
      listener?.(metadata)
    } catch (error) {
      const outcome = 'unknown'
      thrown ??= new RpcError('INTERNAL', `the call's own ${what} threw: ${String(error)}`, { outcome, cause: error })
    }
  }
  const sink: CallSink = {
    onHeaders: (metadata) => tell('onHeaders', options.onHeaders, metadata),
    onMessage: (bytes) => events.onMessage(bytes),
    onDrain: () => pump?.onDrain(),
    onDone(error, trailers) {
      pump?.stop()
      tell('onTrailers', options.onTrailers, trailers)
      onDone(error ?? thrown)
      events.onEnd(error ?? thrown)
    },
  }
  return () => {
    const run = new CallRun(path, plan, sink)
    if (requests !== undefined) pump = new RequestPump(run, requests, encode)
    run.start()
    void pump?.run()
    return run
  }
}

function wrongAnswer(
  { plan }: { readonly plan: { readonly service: { name: string }; readonly method: Method } },
  error: unknown,
): RpcError {
  const why = error instanceof Error ? error.message : String(error)
  const message = `the answer of ${plan.service.name}/${plan.method.name} is not one: ${why}`
  return new RpcError('INTERNAL', message, { outcome: 'unknown', isReceived: true, cause: error })
}
