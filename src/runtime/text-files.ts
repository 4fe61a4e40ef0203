/** Small text files that people or other programs write, such as lists of endpoints. */
export interface TextFiles {
  /** The whole file as UTF-8. Rejects with an error that names the path and says what is wrong with it. */
  read(path: string): Promise<string>
  /**
   * Calls `onChange` after the file at `path` was written, replaced by another (by rename, or behind a symbolic link),
   * removed, or appeared, until the returned function is called. Several changes may be told as one; one that nobody made
   * may be told as well: read, and compare.
   */
  watch(path: string, onChange: () => void): () => void
}
