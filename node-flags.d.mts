export declare const nodeFlags: readonly string[]
export declare function nodeEnvironment(
  root: string,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined>
