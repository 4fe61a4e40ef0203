/** How a command ended. */
export interface CommandEnd {
  /** Its exit status; undefined when it could not be started, or a signal ended it. */
  readonly status: number | undefined
  /** For people: the last line it wrote on standard error or output, or why it did not run. May be empty. */
  readonly detail: string
}

/** Runs programs of this machine. */
export interface Commands {
  /**
   * Runs `command[0]` with the rest as its arguments, without a shell. Resolves when it has ended; `signal` kills it, and
   * all that it started. Never rejects.
   */
  run(command: readonly string[], signal: AbortSignal): Promise<CommandEnd>
}
